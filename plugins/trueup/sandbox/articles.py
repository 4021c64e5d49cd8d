"""Invents the demo retailer's articles and the mess in how other systems name them.

The mess hangs on the article's number, not on the seed: the tenant's alias file has to fit every world.
"""

import random
from collections.abc import Mapping, Sequence
from itertools import product

from trueup.sandbox.catalogue import Article, Catalogue, Identity, Stranger

CATEGORIES: Mapping[str, tuple[str, ...]] = {
    "Kitchen": ("Mug", "Teapot", "Cake Tin", "Bowl", "Apron", "Jug"),
    "Garden": ("Planter", "Bird Feeder", "Lantern", "Watering Can", "Bunting"),
    "Toys": ("Puppet", "Wooden Train", "Skipping Rope", "Doll", "Kite"),
    "Home": ("Cushion", "Photo Frame", "Clock", "Doormat", "Candle"),
    "Stationery": ("Notebook", "Gift Wrap", "Pencil Set", "Card Pack"),
    "Seasonal": ("Star Garland", "Advent House", "Bauble Set", "Wreath"),
}
_FINISHES = ("Red Spotty", "Harbour Blue", "Vintage", "Ivory", "Polka Dot", "Striped", "Rose", "Slate", "Folk", "Tin")

# Articles whose code in one system tells nothing: only the tenant's alias file resolves them.
_ALIASED = {
    ("shipbob", 14): "LANTERN-OLD-STOCK",
    ("shipbob", 18): "BIN-7-LOOSE",
    ("square", 9): "TILL KEY 12",
    ("square", 11): "GIFT TABLE",
}
_SHARED_GTIN = (23, 24)  # two articles that carry one barcode in the ERP: a mistake real masters have


def gtin13(number: int) -> str:
    """A valid GTIN-13 of the retailer's own prefix."""
    digits = f"506071{number:06d}"
    total = sum(int(digit) * (3 if index % 2 else 1) for index, digit in enumerate(digits))
    return f"{digits}{-total % 10}"


def sku_of(number: int) -> str:
    """The canonical code."""
    return f"HV-{number:05d}"


def invent_articles(count: int, dice: random.Random) -> list[Article]:
    """So many articles, numbered from 1."""
    names = list(product(_FINISHES, CATEGORIES))
    articles = []
    for number in range(1, count + 1):
        finish, category = names[dice.randrange(len(names))]
        kind = dice.choice(CATEGORIES[category])
        gtin = gtin13(_SHARED_GTIN[0] if number in _SHARED_GTIN else number)
        price = dice.choice((195, 295, 495, 795, 995, 1495, 1995, 2495, 3995))
        articles.append(Article(number, sku_of(number), f"{finish} {kind} {number}", category, gtin, price))
    return articles


def invent_identities(articles: Sequence[Article]) -> dict[tuple[str, str], Identity]:
    """How ShipBob and Square name the articles that they do not name as the ERP does."""
    identities: dict[tuple[str, str], Identity] = {}
    for article in articles:
        number, sku = article.number, article.sku
        if ("shipbob", number) in _ALIASED:
            identities["shipbob", sku] = Identity(_ALIASED["shipbob", number], None)
        elif number % 16 == 5 and number not in _SHARED_GTIN:
            identities["shipbob", sku] = Identity(f"SB{10_000 + number * 7}", article.gtin)
        if ("square", number) in _ALIASED:
            identities["square", sku] = Identity(_ALIASED["square", number], None)
        elif number % 20 == 7:
            identities["square", sku] = Identity(sku.lower(), article.gtin)
        elif number % 20 == 13:
            identities["square", sku] = Identity(f" {sku} ", article.gtin)
    return identities


def alias_rows(articles: Sequence[Article]) -> list[tuple[str, str, str]]:
    """(system, its code, canonical SKU): what only a person could tell."""
    by_number = {article.number: article.sku for article in articles}
    return [(system, code, by_number[number]) for (system, number), code in _ALIASED.items() if number in by_number]


def invent_strangers(articles: Sequence[Article]) -> list[Stranger]:
    """Two that match nothing and two whose barcode two articles share."""
    first = len(articles) + 1
    shared = gtin13(_SHARED_GTIN[0])
    return [
        Stranger(first, "shipbob", "WH-WEST", "TOTE-SAMPLE", None, "Sample tote, unlabelled", 12),
        Stranger(first + 1, "square", "STORE-1", "LOCAL HONEY", "5012345678900", "Honey, bought in by the store", 7),
        Stranger(first + 2, "shipbob", "WH-WEST", "SB-MIXED-BOX", shared, "Mixed box, one barcode", 9),
        Stranger(first + 3, "square", "STORE-2", "COUNTER DISPLAY", shared, "Counter display, one barcode", 5),
    ]


def invent_catalogue(count: int, dice: random.Random) -> Catalogue:
    """The whole catalogue of a generated world."""
    articles = invent_articles(count, dice)
    carried: dict[str, set[str]] = {"shipbob": set(), "square": set(), "shopify_main": set(), "shopify_outlet": set()}
    for article in articles:
        for system, chance in (("shipbob", 0.6), ("square", 0.6), ("shopify_main", 0.95), ("shopify_outlet", 0.45)):
            if dice.random() < chance or (system, article.number) in _ALIASED:
                carried[system].add(article.sku)
    return Catalogue(
        articles,
        invent_identities(articles),
        invent_strangers(articles),
        alias_rows(articles),
        {system: frozenset(skus) for system, skus in carried.items()},
    )
