"""The objects of the example portal, as SampleDB stores them: a schema and data each.

Knows nothing of pages. The schemas are those of a SampleDB action; ``notebookTemplates`` is the
part that makes its *Create Notebook* button.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from nbstamp.core.parameters import Json


@dataclass(frozen=True, slots=True)
class Object:
    """One sample or measurement."""

    object_id: int
    """As in its address, ``/objects/1``."""
    action: str
    """What was done to get it, as people call it."""
    lesson: str
    """What a visitor of the example can see with it."""
    schema: dict[str, Any]
    """The schema that was stored with the object, ``notebookTemplates`` included."""
    data: dict[str, Any]
    """Its values; what was not filled in is not there."""

    @property
    def name(self) -> str:
        """As it stands in lists."""
        text = self.data["name"]["text"]
        return str(text["en"] if isinstance(text, dict) else text)


def example_objects() -> dict[int, Object]:
    """The objects of the example portal by their id."""
    found = (
        Object(
            object_id=1,
            action="Nanocrystal synthesis",
            lesson="It was typed into the portal's web form, so its texts arrive with a language: "
            '{"en": "…"}. One object can have several templates.',
            schema=SAMPLE,
            data={
                "name": text(en="Perovskite nanocrystals, batch 7"),
                "created": date("2026-11-03 08:12:40"),
                "iodide_fraction": quantity(0.35, "1", 0.35, "dimensionless"),
                "diameter": quantity(62.0, "nm", 6.2e-08, "[length]"),
                "spread": quantity(14.0, "%", 0.14, "dimensionless"),
                "substrate": text(en="silicon", de="Silizium"),
                "remark": text(en="Washed twice.\r\nStored in toluene under argon."),
            },
        ),
        Object(
            object_id=2,
            action="Furnace run",
            lesson="A time series of 2,400 readings travels with the click: a form of 200 kB.",
            schema=FURNACE_RUN,
            data={
                "name": text("TA-2026-118"),
                "created": date("2026-11-12 06:30:00"),
                "sample": {"_type": "sample", "object_id": 1},
                "atmosphere": text("argon, 50 ml/min"),
                "temperature_log": {
                    "_type": "timeseries",
                    "units": "degC",
                    "data": furnace_log(datetime(2026, 11, 12, 6, 30)),  # noqa: DTZ001 - UTC, bare
                    "dimensionality": "[temperature]",
                },
            },
        ),
        Object(
            object_id=3,
            action="Photoluminescence",
            lesson="The name of the notebook comes from another object: the sample that was "
            "measured.",
            schema=PHOTOLUMINESCENCE,
            data={
                "name": text("PL-2026-031, cold"),
                "created": date("2026-11-17 14:05:22"),
                "sample": {"_type": "sample", "object_id": 1},
                "iodide_fraction": quantity(0.35, "1", 0.35, "dimensionless"),
                "temperature": quantity(77.0, "K", 77.0, "[temperature]"),
            },
        ),
        Object(
            object_id=4,
            action="Nanocrystal synthesis",
            lesson="A name with everything in it that file systems, HTML and Python do not like. "
            "All of it arrives; the file name keeps what a file name can hold.",
            schema=SAMPLE,
            data={
                "name": text("試料 #4: O'Brien's \"größte\" <b>¼ µm</b> & {x}/../$(id) \\ 50 %"),
                "created": date("2026-11-18 16:44:03"),
                "iodide_fraction": quantity(1.0, "1", 1.0, "dimensionless"),
                "diameter": quantity(0.25, "um", 2.5e-07, "[length]"),
                "spread": quantity(30.0, "%", 0.3, "dimensionless"),
                "substrate": text("glass"),
                "remark": text("'''\n\"\"\"\n%matplotlib qt\n!touch marker\n```\n# 100 % µ \u2028"),
            },
        ),
        Object(
            object_id=5,
            action="Photoluminescence",
            lesson="Nearly nothing was filled in: the values arrive as null. No sample was chosen, "
            "so the notebook's name has to be typed in.",
            schema=PHOTOLUMINESCENCE,
            data={"name": text(en="Quick look, to be completed")},
        ),
        Object(
            object_id=6,
            action="Electron microscopy (2024)",
            lesson="An old object keeps the schema it was made with, and its template has been "
            "renamed since: the server says so and offers what there is now.",
            schema=OLD_MICROSCOPY,
            data={
                "name": text("SEM-2024-007"),
                "created": date("2024-02-09 10:20:00"),
                "diameter": quantity(48.5, "nm", 4.85e-08, "[length]"),
            },
        ),
    )
    return {one.object_id: one for one in found}


# --- Values ---------------------------------------------------------------------------------------


def text(plain: str | None = None, /, **languages: str) -> dict[str, Any]:
    """A text as the HTTP API stores it, or with languages as the web form does."""
    return {"_type": "text", "text": languages if plain is None else plain}


def date(utc: str) -> dict[str, Any]:
    return {"_type": "datetime", "utc_datetime": utc}


def quantity(magnitude: float, units: str, base: float, dimensionality: str) -> dict[str, Any]:
    return {
        "_type": "quantity",
        "magnitude": magnitude,
        "units": units,
        "magnitude_in_base_units": base,
        "dimensionality": dimensionality,
    }


def furnace_log(start: datetime, readings: int = 2400) -> list[Json]:
    """A furnace that heats, holds twice and cools, read every 7 seconds."""
    programme = ((0, 22), (50, 320), (95, 320), (155, 780), (215, 780), (280, 140))  # min, °C
    rows: list[Json] = []
    furnace = 22.0
    for number in range(readings):
        minute = number * 7 / 60
        (a, low), (b, high) = next(
            (left, right) for left, right in pairwise(programme) if minute <= right[0]
        )
        wanted = low + (high - low) * (minute - a) / (b - a)
        furnace += (wanted - furnace) * 0.12  # it follows with a delay of about a minute
        noise = 0.25 * math.sin(number * 12.9898) * math.cos(number * 4.1414)
        celsius = round(furnace + noise, 2)
        time = start + timedelta(seconds=7 * number)
        rows.append([f"{time:%Y-%m-%d %H:%M:%S.%f}", celsius, round(celsius + 273.15, 2)])
    return rows


# --- Schemas --------------------------------------------------------------------------------------

SAMPLE: dict[str, Any] = {
    "title": "Nanocrystals",
    "type": "object",
    "properties": {
        "name": {"title": "Name", "type": "text"},
        "created": {"title": "Created", "type": "datetime"},
        "iodide_fraction": {"title": "Iodide fraction", "type": "quantity", "units": "1"},
        "diameter": {"title": "Mean diameter", "type": "quantity", "units": ["nm", "um"]},
        "spread": {"title": "Spread of diameters", "type": "quantity", "units": "%"},
        "substrate": {"title": "Substrate", "type": "text", "languages": ["en", "de"]},
        "remark": {"title": "Remark", "type": "text", "multiline": True},
    },
    "propertyOrder": [
        "name",
        "created",
        "iodide_fraction",
        "diameter",
        "spread",
        "substrate",
        "remark",
    ],
    "required": ["name"],
    "notebookTemplates": [
        {
            "title": "Particle sizes",
            "url": "sem/Particle_Sizes_{sample_name}.ipynb",
            "params": {
                "sample_name": ["name", "text"],
                "diameter": ["diameter"],
                "spread": ["spread", "magnitude"],
                "substrate": ["substrate", "text"],
                "remark": ["remark", "text"],
                "object_id": "object_id",
            },
        },
        {
            "title": "Emission to expect",
            "url": "photoluminescence/Emission_{sample_name}.ipynb",
            "params": {
                "sample_name": ["name", "text"],
                "iodide_fraction": ["iodide_fraction", "magnitude"],
                "object_id": "object_id",
            },
        },
    ],
}

FURNACE_RUN: dict[str, Any] = {
    "title": "Furnace run",
    "type": "object",
    "properties": {
        "name": {"title": "Measurement name", "type": "text"},
        "created": {"title": "Started", "type": "datetime"},
        "sample": {"title": "Sample", "type": "sample"},
        "atmosphere": {"title": "Atmosphere", "type": "text"},
        "temperature_log": {"title": "Temperature", "type": "timeseries", "units": "degC"},
    },
    "propertyOrder": ["name", "created", "sample", "atmosphere", "temperature_log"],
    "required": ["name"],
    "notebookTemplates": [
        {
            "title": "Data analysis",
            "url": "thermal_analysis/Data_Analysis_{measurement_name}.ipynb",
            "params": {
                "measurement_name": ["name", "text"],
                "created": ["created", "utc_datetime"],
                "atmosphere": ["atmosphere", "text"],
                "temperature_log": ["temperature_log", "data"],
                "object_id": "object_id",
            },
        }
    ],
}

PHOTOLUMINESCENCE: dict[str, Any] = {
    "title": "Photoluminescence",
    "type": "object",
    "properties": {
        "name": {"title": "Measurement name", "type": "text"},
        "created": {"title": "Measured", "type": "datetime"},
        "sample": {"title": "Sample", "type": "sample"},
        "iodide_fraction": {"title": "Iodide fraction", "type": "quantity", "units": "1"},
        "temperature": {"title": "Temperature", "type": "quantity", "units": ["K", "degC"]},
    },
    "propertyOrder": ["name", "created", "sample", "iodide_fraction", "temperature"],
    "required": ["name"],
    "notebookTemplates": [
        {
            "title": "Emission to expect",
            "url": "photoluminescence/Emission_{sample_name}.ipynb",
            "params": {
                "sample_name": ["sample", "object", "name", "text"],
                "iodide_fraction": ["iodide_fraction", "magnitude"],
                "temperature": ["temperature", "magnitude_in_base_units"],
                "object_id": "object_id",
            },
        }
    ],
}

OLD_MICROSCOPY: dict[str, Any] = {
    "title": "Electron microscopy",
    "type": "object",
    "properties": {
        "name": {"title": "Measurement name", "type": "text"},
        "created": {"title": "Measured", "type": "datetime"},
        "diameter": {"title": "Mean diameter", "type": "quantity", "units": "nm"},
    },
    "propertyOrder": ["name", "created", "diameter"],
    "required": ["name"],
    "notebookTemplates": [
        {
            "title": "Particle size",
            "url": "sem/Particle_Size_{sample_name}.ipynb",
            "params": {
                "sample_name": ["name", "text"],
                "diameter": ["diameter"],
                "object_id": "object_id",
            },
        }
    ],
}
