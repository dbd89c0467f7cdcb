"""Generated DynamoDB operations, as boto3's Table takes them, on few keys so that they meet.

An operation is a method's name and its arguments. Where an argument names a table, it has `TABLE`.
"""

from __future__ import annotations

import re
import sys
from decimal import Decimal
from pathlib import Path

from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "shared-layer" / "tests"))
from attribute_values import BINARY, ITEMS, VALUES

TABLE = "TABLE"
SCHEMA = {
    "KeySchema": [
        {"AttributeName": "id", "KeyType": "HASH"},
        {"AttributeName": "at", "KeyType": "RANGE"},
    ],
    "AttributeDefinitions": [
        {"AttributeName": "id", "AttributeType": "S"},
        {"AttributeName": "at", "AttributeType": "N"},
        {"AttributeName": "team", "AttributeType": "S"},
        {"AttributeName": "n", "AttributeType": "N"},
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": "by-team",
            "KeySchema": [
                {"AttributeName": "team", "KeyType": "HASH"},
                {"AttributeName": "at", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
    ],
    "LocalSecondaryIndexes": [
        {
            "IndexName": "by-n",
            "KeySchema": [
                {"AttributeName": "id", "KeyType": "HASH"},
                {"AttributeName": "n", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ],
    "BillingMode": "PAY_PER_REQUEST",
}

IDS = st.sampled_from(["a", "a", "a", "b", 'é/=+"\\ 🎙'])
MOMENTS = st.sampled_from([0, -1, Decimal("2.5"), 10**20])
KEYS = st.fixed_dictionaries({"id": IDS, "at": MOMENTS})
WRONG_KEYS = st.sampled_from(
    [{"id": "a"}, {"id": 1, "at": 1}, {"id": "", "at": 1}, {"id": "a", "at": 1, "n": 1}]
)
NUMBERS = st.sampled_from([0, 1, -2, 5, Decimal("0.1"), 10**37, Decimal("1E-130")])
WORDS = st.sampled_from(["", "a", "ab", "é"])
# What expressions below speak of; an attribute is there or not, and may be of another type.
TYPED = {
    "n": NUMBERS,
    "s": WORDS,
    "l": st.lists(NUMBERS | WORDS, max_size=3),
    "m": st.dictionaries(st.sampled_from("ab"), NUMBERS | WORDS, max_size=2),
    "ns": st.sets(NUMBERS, min_size=1),
    "ss": st.sets(WORDS, min_size=1),
    "bs": st.sets(BINARY, min_size=1, max_size=3),
    "team": st.sampled_from(["x", "y"]),
}
PLACEHOLDERS = {
    ":n": NUMBERS,
    ":o": NUMBERS,
    ":s": WORDS,
    ":id": IDS,
    ":at": MOMENTS,
    ":to": MOMENTS,
    ":l": st.lists(VALUES, max_size=2),
    ":ns": st.sets(NUMBERS, min_size=1),
    ":ss": st.sets(WORDS, min_size=1),
    ":bs": st.sets(BINARY, min_size=1, max_size=3),
    ":team": TYPED["team"],
    ":type": st.sampled_from(["S", "N", "M", "BS", "X"]),
    ":any": VALUES,
}
NAMES = {"#n": "n", "#m": "m", "#a": "a", "#odd": "a-b.c"}

CONDITIONS = [
    "attribute_exists(id)",
    "attribute_not_exists(id)",
    "attribute_not_exists(#n) OR #n < :n",
    "n = :n",
    "#n <> :o",
    "n BETWEEN :n AND :o",
    "n IN (:n, :o, :s)",
    "contains(ss, :s)",
    "contains(s, :s)",
    "begins_with(s, :s)",
    "size(l) > :n",
    "attribute_type(m, :type)",
    "NOT (attribute_exists(s) AND s = :s)",
    "#m.#a = :any",
    "l[0] = :any",
    "ns = :ns AND bs = :bs",
    "#odd = :any",
    "l[1] > :n OR #m.#a < :o",
]
# DynamoDB says what is wrong.
WRONG_CONDITIONS = [
    "n ==",
    "name = :s",
    "n = :unknown",
    "#unknown = :n",
]
UPDATES = [
    "SET n = :n",
    "SET #n = :n, s = :s",
    "SET n = n + :n",
    "SET n = if_not_exists(n, :n) - :o",
    "SET l = list_append(if_not_exists(l, :l), :l)",
    "SET m = :any, l = :l, ns = :ns, bs = :bs",
    "SET #m.#a = :any",
    "SET l[0] = :any, l[7] = :s",
    "SET #odd = :any",
    "SET s = team",
    "SET team = :team",
    "set #odd = :any , #m = :any",
    "SET #m.#a = :n, n = :o",
    "SET m.b = :s",
    "SET m = :any, #n = :n",
    "REMOVE s, l[0], m.a",
    "ADD n :n",
    "ADD ns :ns, ss :ss",
    "DELETE ss :ss, bs :bs",
    "SET s = :s REMOVE n ADD ns :ns DELETE ss :ss",
]
WRONG_UPDATES = [
    "SET id = :s",
    "SET n = :n, n = :o",
    "SET name = :s",
    "ADD s :s",
    "SET",
    "SET s = :missing",
]
KEY_CONDITIONS = [
    (None, "id = :id"),
    (None, "id = :id AND #at > :at"),
    (None, "id = :id AND #at BETWEEN :at AND :to"),
    ("by-team", "team = :team"),
    ("by-team", "team = :team AND #at <= :at"),
    ("by-n", "id = :id AND #n >= :n"),
]
WRONG_KEY_CONDITIONS = [
    (None, "#at = :at"),
    (None, "id > :id"),
    ("no-such-index", "team = :team"),
]
PROJECTIONS = ["id, #at", "m.a, l[0], #n", "id, ns, bs", "#odd"]
WRONG_PROJECTIONS = ["id, id", "name"]
ALL_NAMES = {**NAMES, "#at": "at"}
RARELY = st.sampled_from([*[False] * 24, True])


def mostly(right, wrong):
    """Return a strategy for one of `right`, rarely for one of `wrong`."""
    return RARELY.flatmap(lambda rarely: st.sampled_from(wrong if rarely else right))


@st.composite
def expressions(draw, given):
    """Return the expressions with what they name; now and then with one name or value too many."""
    written = " ".join(given.values())
    names = {name: ALL_NAMES[name] for name in re.findall(r"#\w+", written) if name in ALL_NAMES}
    values = {
        name: draw(PLACEHOLDERS[name])
        for name in re.findall(r":\w+", written)
        if name in PLACEHOLDERS
    }
    if draw(RARELY):
        values[":surplus"] = 1
    if names:
        given["ExpressionAttributeNames"] = names
    if values:
        given["ExpressionAttributeValues"] = values
    return given


@st.composite
def items(draw):
    """Return a key, some attributes that expressions speak of, and any others."""
    others = {name: value for name, value in draw(ITEMS).items() if name not in TYPED}
    chosen = draw(st.sets(st.sampled_from(sorted(TYPED))))
    item = {**others, **{name: draw(TYPED[name]) for name in sorted(chosen)}, **draw(KEYS)}
    if draw(RARELY):
        item["team"] = draw(VALUES)  # mostly not of the type that the index is declared with
    return item


def options(**choices):
    """Return a strategy for arguments: each of `choices` is left out, or one of its values."""
    return st.fixed_dictionaries(
        {}, optional={name: st.sampled_from(values) for name, values in choices.items()}
    )


METRICS = {"ReturnItemCollectionMetrics": ["SIZE", "NONE"]}
CAPACITY = ["NONE", "TOTAL", "INDEXES"]
ON_FAILURE = ["ALL_OLD", "ALL_OLD", "NONE"]


@st.composite
def puts(draw):
    arguments = draw(
        options(ReturnValues=["ALL_OLD", "NONE"], ReturnConsumedCapacity=CAPACITY, **METRICS)
    )
    return "put_item", {**arguments, "Item": draw(items()), **draw(conditions())}


@st.composite
def conditions(draw, **given):
    """Return a condition or none, with `given` expressions."""
    condition = draw(st.none() | mostly(CONDITIONS, WRONG_CONDITIONS))
    if condition:
        given["ConditionExpression"] = condition
    arguments = draw(expressions(given)) if given else {}
    if condition:
        arguments |= draw(options(ReturnValuesOnConditionCheckFailure=ON_FAILURE))
    return arguments


def keys():
    return RARELY.flatmap(lambda rarely: WRONG_KEYS if rarely else KEYS)


@st.composite
def updates(draw):
    arguments = draw(
        options(
            ReturnValues=["NONE", "ALL_OLD", "UPDATED_OLD", "ALL_NEW", "UPDATED_NEW"],
            ReturnConsumedCapacity=CAPACITY,
            **METRICS,
        )
    )
    update = None if draw(RARELY) else draw(mostly(UPDATES, WRONG_UPDATES))
    given = {"UpdateExpression": update} if update else {}
    return "update_item", {**arguments, "Key": draw(keys()), **draw(conditions(**given))}


@st.composite
def deletes(draw):
    arguments = draw(
        options(ReturnValues=["ALL_OLD", "NONE"], ReturnConsumedCapacity=CAPACITY, **METRICS)
    )
    return "delete_item", {**arguments, "Key": draw(keys()), **draw(conditions())}


@st.composite
def gets(draw):
    arguments = draw(options(ConsistentRead=[True, False], ReturnConsumedCapacity=CAPACITY))
    projection = draw(st.none() | mostly(PROJECTIONS, WRONG_PROJECTIONS))
    given = {"ProjectionExpression": projection} if projection else {}
    named = {
        name: value for name, value in draw(expressions(given)).items() if "Values" not in name
    }
    return "get_item", {**arguments, "Key": draw(keys()), **named}


@st.composite
def reads(draw, given):
    """Return the rest of a query's or scan's arguments."""
    arguments = draw(
        options(
            Limit=[1, 2, 9],
            ConsistentRead=[True, False],
            ReturnConsumedCapacity=CAPACITY,
        )
    )
    if draw(st.integers(1, 5)) == 5:
        arguments["Select"] = draw(st.sampled_from(["COUNT", "ALL_ATTRIBUTES"]))
    if draw(st.booleans()):
        given["FilterExpression"] = draw(mostly(CONDITIONS, WRONG_CONDITIONS))
    if "Select" not in arguments and draw(st.booleans()):
        given["ProjectionExpression"] = draw(mostly(PROJECTIONS, WRONG_PROJECTIONS))
    return {**arguments, **(draw(expressions(given)) if given else {})}


@st.composite
def queries(draw):
    index, condition = draw(mostly(KEY_CONDITIONS, WRONG_KEY_CONDITIONS))
    arguments = draw(reads({"KeyConditionExpression": condition}))
    arguments |= draw(options(ScanIndexForward=[False, True, False]))
    if index:
        arguments["IndexName"] = index
    elif draw(st.booleans()):
        arguments["ExclusiveStartKey"] = draw(KEYS)
    return "query", arguments


@st.composite
def scans(draw):
    arguments = draw(reads({}))
    arguments |= draw(options(IndexName=["by-team"]))
    if draw(st.booleans()):
        arguments |= {"Segment": draw(st.integers(0, 2)), "TotalSegments": 2}
    return "scan", arguments


@st.composite
def batch_gets(draw):
    wanted: dict[str, object] = {
        "Keys": draw(st.lists(keys(), min_size=1, max_size=6, unique_by=str))
    }
    projection = draw(st.none() | st.sampled_from(PROJECTIONS))
    given = {"ProjectionExpression": projection} if projection else {}
    named = {
        name: value for name, value in draw(expressions(given)).items() if "Values" not in name
    }
    wanted |= {**draw(options(ConsistentRead=[True])), **named}
    return "batch_get_item", {"RequestItems": {TABLE: wanted}}


@st.composite
def batch_writes(draw):
    requests = st.one_of(
        items().map(lambda item: {"PutRequest": {"Item": item}}),
        keys().map(lambda key: {"DeleteRequest": {"Key": key}}),
    )
    return "batch_write_item", {
        "RequestItems": {TABLE: draw(st.lists(requests, min_size=1, max_size=4))}
    }


@st.composite
def transactions(draw):
    actions = draw(
        st.lists(st.one_of(_put(), _update(), _delete(), _check()), min_size=1, max_size=4)
    )
    return "transact_write_items", {
        "TransactItems": actions,
        **draw(options(ReturnConsumedCapacity=CAPACITY, **METRICS)),
    }


@st.composite
def _put(draw):
    return {"Put": {"TableName": TABLE, "Item": draw(items()), **draw(conditions())}}


@st.composite
def _update(draw):
    update = draw(conditions(UpdateExpression=draw(mostly(UPDATES, WRONG_UPDATES))))
    return {"Update": {"TableName": TABLE, "Key": draw(KEYS), **update}}


@st.composite
def _delete(draw):
    return {"Delete": {"TableName": TABLE, "Key": draw(KEYS), **draw(conditions())}}


@st.composite
def _check(draw):
    given = draw(expressions({"ConditionExpression": draw(mostly(CONDITIONS, WRONG_CONDITIONS))}))
    given |= draw(options(ReturnValuesOnConditionCheckFailure=ON_FAILURE))
    return {"ConditionCheck": {"TableName": TABLE, "Key": draw(KEYS), **given}}


@st.composite
def bare_updates(draw):
    given = {"UpdateExpression": draw(st.sampled_from(UPDATES))}
    if draw(st.integers(1, 4)) == 4:
        given["ConditionExpression"] = draw(st.sampled_from(CONDITIONS))
    return "update_item", {"Key": draw(KEYS), **draw(expressions(given))}


def sequences(operations, least, most):
    """Return a strategy for some items first, so that there is something to find, then operations."""
    puts_first = st.lists(
        items().map(lambda item: ("put_item", {"Item": item})), min_size=3, max_size=6
    )
    operation = st.sampled_from(operations).flatmap(lambda make: make())
    rest = st.lists(operation, min_size=least, max_size=most)
    return st.tuples(puts_first, rest).map(lambda parts: [*parts[0], *parts[1]])


OPERATIONS = sequences(
    [
        *(puts, updates, updates, updates, deletes, transactions, transactions, batch_writes),
        *(gets, queries, queries, scans, batch_gets),
    ],
    least=8,
    most=14,
)
WRITES = sequences(
    [*[bare_updates] * 5, puts, puts, deletes, transactions, batch_writes], least=15, most=25
)
