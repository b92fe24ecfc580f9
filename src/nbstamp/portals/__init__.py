"""Knowledge about portals: names, pages of objects, how requests look."""
