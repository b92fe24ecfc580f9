"""The pure core: values in, values out. No web, no hub, no asyncio, no configuration."""
