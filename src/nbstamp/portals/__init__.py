"""Knowledge about portals: how they are called, where their objects are, how their requests look."""
