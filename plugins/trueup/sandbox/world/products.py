"""Invents the demo retailer's products and the mess in how other systems name them.

The mess hangs on the product's number, not on the seed: the tenant's alias file has to fit every world.
"""

import itertools
import random
from collections.abc import Mapping, Sequence

from trueup.sandbox.world.catalogue import Catalogue, Identity, Product, Stranger
from trueup.sandbox.world.layout import Layout
from trueup.sandbox.world.settings import WorldSettings

CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "Kitchen": ("Mug", "Teapot", "Cake Tin", "Bowl", "Apron", "Jug"),
    "Garden": ("Planter", "Bird Feeder", "Lantern", "Watering Can", "Bunting"),
    "Toys": ("Puppet", "Wooden Train", "Skipping Rope", "Doll", "Kite"),
    "Home": ("Cushion", "Photo Frame", "Clock", "Doormat", "Candle"),
    "Stationery": ("Notebook", "Gift Wrap", "Pencil Set", "Card Pack"),
    "Seasonal": ("Star Garland", "Advent House", "Bauble Set", "Wreath"),
}
_FINISHES = ("Red Spotty", "Harbour Blue", "Vintage", "Ivory", "Polka Dot", "Striped", "Rose", "Slate", "Folk", "Tin")

# Products whose code in one system tells nothing: only the tenant's alias file resolves them.
_ALIASED = {
    ("warehouse", 14): "LANTERN-OLD-STOCK",
    ("warehouse", 18): "BIN-7-LOOSE",
    ("tills", 9): "TILL KEY 12",
    ("tills", 11): "GIFT TABLE",
}
_CARRIED: Mapping[str, float] = {"warehouse": 0.6, "tills": 0.6, "shop": 0.95}
"""Share of the products that a system of a role carries; the ERP has them all."""
_OUTLET_CARRIED = 0.45
_SHARED_GTIN = (23, 24)  # two products that carry one barcode in the ERP: a mistake real masters have


def gtin13(number: int) -> str:
    """A valid GTIN-13 of the retailer's own prefix."""
    digits = f"506071{number:06d}"
    total = sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(digits))
    return f"{digits}{-total % 10}"


def sku_of(number: int) -> str:
    """The canonical code."""
    return f"HV-{number:05d}"


def invent_products(count: int, dice: random.Random) -> list[Product]:
    """So many products, numbered from 1."""
    names = list(itertools.product(_FINISHES, CATEGORIES))
    products = []
    for number in range(1, count + 1):
        finish, category = names[dice.randrange(len(names))]
        kind = dice.choice(CATEGORIES[category])
        gtin = gtin13(_SHARED_GTIN[0] if number in _SHARED_GTIN else number)
        price = dice.choice((195, 295, 495, 795, 995, 1495, 1995, 2495, 3995))
        products.append(Product(number, sku_of(number), f"{finish} {kind} {number}", category, gtin, price))
    return products


def invent_identities(products: Sequence[Product], layout: Layout) -> dict[tuple[str, str], Identity]:
    """How warehouses and tills name the products that they do not name as the ERP does."""
    identities: dict[tuple[str, str], Identity] = {}
    for product in products:
        number, sku = product.number, product.sku
        for system_id in layout.of_role("warehouse"):
            if ("warehouse", number) in _ALIASED:
                identities[system_id, sku] = Identity(_ALIASED["warehouse", number], None)
            elif number % 16 == 5 and number not in _SHARED_GTIN:
                identities[system_id, sku] = Identity(f"SB{10_000 + number * 7}", product.gtin)
        for system_id in layout.of_role("tills"):
            if ("tills", number) in _ALIASED:
                identities[system_id, sku] = Identity(_ALIASED["tills", number], None)
            elif number % 20 == 7:
                identities[system_id, sku] = Identity(sku.lower(), product.gtin)
            elif number % 20 == 13:
                identities[system_id, sku] = Identity(f" {sku} ", product.gtin)
    return identities


def alias_rows(products: Sequence[Product], layout: Layout) -> list[tuple[str, str, str]]:
    """(system, its code, canonical SKU): what only a person could tell."""
    by_number = {product.number: product.sku for product in products}
    return [
        (system_id, code, by_number[number])
        for (role, number), code in _ALIASED.items()
        for system_id in layout.of_role(role)
        if number in by_number
    ]


def invent_strangers(products: Sequence[Product], layout: Layout) -> list[Stranger]:
    """Where there is a warehouse or a till: what matches nothing, and what has a barcode that two products share."""
    first = len(products) + 1
    shared = gtin13(_SHARED_GTIN[0])
    strangers = []
    for system_id in layout.of_role("warehouse"):
        location = layout.locations_of(system_id)[0].location_id
        strangers.append(Stranger(first, system_id, location, "TOTE-SAMPLE", None, "Sample tote, unlabelled", 12))
        strangers.append(Stranger(first + 2, system_id, location, "SB-MIXED-BOX", shared, "Mixed box, one barcode", 9))
    for system_id in layout.of_role("tills"):
        locations = [location.location_id for location in layout.locations_of(system_id)]
        honey = Stranger(first + 1, system_id, locations[0], "LOCAL HONEY", "5012345678900", "Honey, bought in", 7)
        display = "Counter display, one barcode"
        strangers += [honey, Stranger(first + 3, system_id, locations[-1], "COUNTER DISPLAY", shared, display, 5)]
    return strangers


def invent_catalogue(settings: WorldSettings, dice: random.Random) -> Catalogue:
    """The whole catalogue of a generated world."""
    layout = settings.layout
    products = invent_products(settings.skus, dice)
    carried: dict[str, set[str]] = {system_id: set() for system_id, role in layout.roles.items() if role != "erp"}
    for names, own in settings.rolls(carried, dice, "carried"):
        for product in products:
            for system_id in names:
                role = layout.roles[system_id]
                chance = _OUTLET_CARRIED if "outlet" in system_id else _CARRIED[role]
                if own.random() < chance or (role, product.number) in _ALIASED:
                    carried[system_id].add(product.sku)
    return Catalogue(
        products,
        invent_identities(products, layout),
        invent_strangers(products, layout),
        alias_rows(products, layout),
        {system_id: frozenset(skus) for system_id, skus in carried.items()},
    )
