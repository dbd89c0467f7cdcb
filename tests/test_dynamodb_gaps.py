"""Where the emulator plays less than AWS documents: each row of docs/dynamodb.md's table, proven.

A test here fails when the emulator has learnt it; then the row goes, and what it names is compared with
boto3 like the rest.
"""

from __future__ import annotations

import re
from pathlib import Path

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError

from wslocal import Emulator

ROOT = Path(__file__).parents[1]
DOCUMENT = ROOT / "docs" / "dynamodb.md"
KEY = {"id": {"S": "a"}}


@pytest.fixture(scope="module")
def client():
    """Return a client that checks nothing itself, and a table `one`."""
    with Emulator() as emulator:
        client = boto3.client(
            "dynamodb",
            endpoint_url=emulator.endpoint,
            region_name="us-east-1",
            aws_access_key_id=emulator.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key="not the secret of root",
            config=Config(parameter_validation=False, retries={"total_max_attempts": 1}),
        )
        client.create_table(
            TableName="one",
            KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
            BillingMode="PAY_PER_REQUEST",
        )
        yield client


def scan(client, expression, values):
    return client.scan(
        TableName="one", FilterExpression=expression, ExpressionAttributeValues=values
    )


def signature(client):
    """The client above signs with another secret than root's."""
    client.get_item(TableName="one", Key=KEY)


def empty_name(client):
    client.put_item(TableName="one", Item={**KEY, "": {"S": "x"}})


def long_name(client):
    client.put_item(TableName="one", Item={**KEY, "n" * 65536: {"S": "x"}})


def operators(client):
    scan(client, " OR ".join(["n=:n"] * 301), {":n": {"N": "1"}})


def operands(client):
    values = {f":{number}": {"N": "1"} for number in range(101)}
    scan(client, f"n IN ({','.join(values)})", values)


def substitution_values(client):
    names = [f":{number}" for number in range(6)]
    values = {name: {"S": "x" * 400_000} for name in names}
    scan(client, " OR ".join(f"s = {name}" for name in names), values)


def large_batch(client):
    keys = [{"id": {"S": f"large-{number}"}} for number in range(50)]
    for key in keys:
        client.put_item(TableName="one", Item={**key, "s": {"S": "x" * 400_000}})

    answer = client.batch_get_item(RequestItems={"one": {"Keys": keys}})

    assert len(answer["Responses"]["one"]) == 50  # 20 MB
    assert answer["UnprocessedKeys"] == {}


def reserved_word(client):
    with pytest.raises(ClientError, match="InternalError"):
        client.batch_get_item(RequestItems={"one": {"Keys": [KEY], "ProjectionExpression": "name"}})


def number_in_set(client):
    client.put_item(TableName="one", Item={**KEY, "ns": {"NS": ["1"]}})

    with pytest.raises(ClientError, match="contains duplicates"):
        client.update_item(
            TableName="one",
            Key=KEY,
            UpdateExpression="ADD ns :ns",
            ExpressionAttributeValues={":ns": {"NS": ["1.00"]}},
        )


def token(client):
    action = {"Put": {"TableName": "one", "Item": {**KEY, "n": {"N": "1.50"}}}}
    client.transact_write_items(TransactItems=[action], ClientRequestToken="token")

    with pytest.raises(ClientError, match="IdempotentParameterMismatch"):
        client.transact_write_items(TransactItems=[action], ClientRequestToken="token")


GUIDE = "https://docs.aws.amazon.com/amazondynamodb/latest/developerguide"
API = "https://docs.aws.amazon.com/amazondynamodb/latest/APIReference"
SCRIPTED = "a server with scripts, `shared-layer/tests/test_dynamodb_calls.py`"
SCRIPTED_BATCHES = "a server with scripts, `shared-layer/tests/test_dynamodb_batches.py`"
# What DynamoDB does, its source, what the emulator does, what shows it instead, the proof.
ROWS = [
    (
        "The signature is checked",
        "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv.html",
        "takes any secret key",
        "botocore's signer, `tests/test_dynamodb_signatures.py`",
        signature,
    ),
    (
        "An attribute's name has 1 character to 64 KB",
        f"{GUIDE}/HowItWorks.NamingRulesDataTypes.html",
        "takes an empty one",
        "refused before it is sent, `shared-layer/tests/test_attributes.py`",
        empty_name,
    ),
    (
        "The same, at its other end",
        f"{GUIDE}/HowItWorks.NamingRulesDataTypes.html",
        "takes a longer one",
        "refused before it is sent, `shared-layer/tests/test_attributes.py`",
        long_name,
    ),
    (
        "An expression has at most 300 operators and functions",
        f"{GUIDE}/Constraints.html#limits-expression-parameters",
        "takes more",
        "not checked here: DynamoDB's ValidationException comes back",
        operators,
    ),
    (
        "`IN` has at most 100 operands",
        f"{GUIDE}/Expressions.OperatorsAndFunctions.html",
        "takes more",
        "not checked here: DynamoDB's ValidationException comes back",
        operands,
    ),
    (
        "An expression's names and values have at most 2 MB",
        f"{GUIDE}/Constraints.html#limits-expression-parameters",
        "takes more",
        "not checked here: DynamoDB's ValidationException comes back",
        substitution_values,
    ),
    (
        "BatchGetItem returns at most 16 MB, and the other keys as unprocessed",
        f"{API}/API_BatchGetItem.html",
        "returns all",
        SCRIPTED_BATCHES,
        large_batch,
    ),
    (
        "A reserved word in BatchGetItem's projection is a ValidationException",
        f"{GUIDE}/ReservedWords.html",
        "answers 500",
        "as for GetItem, which the emulator refuses",
        reserved_word,
    ),
    (
        "Members of a number set are compared as numbers",
        f"{GUIDE}/HowItWorks.NamingRulesDataTypes.html",
        "compares texts: to add `1.00` to a set with `1` is refused",
        "nothing of ours: the member is sent as it is",
        number_in_set,
    ),
    (
        "A transaction sent again with its token is answered as the first time",
        f"{API}/API_TransactWriteItems.html",
        "refuses it if it writes a number in another way, `1.50` as `1.5`",
        "the comparison with numbers that the emulator leaves as they are",
        token,
    ),
    (
        "Items of a batch come back unprocessed",
        f"{API}/API_BatchWriteItem.html",
        "never",
        SCRIPTED_BATCHES,
        None,
    ),
    (
        "Throttling",
        f"{GUIDE}/Programming.Errors.html",
        "never",
        SCRIPTED,
        None,
    ),
    (
        "Transactions meet: TransactionConflict, TransactionInProgressException",
        f"{API}/API_TransactWriteItems.html",
        "never: it does one request after the other",
        SCRIPTED,
        None,
    ),
    (
        "Answers that are lost, late, 5xx, or have a wrong x-amz-crc32",
        f"{GUIDE}/Programming.Errors.html",
        "never",
        SCRIPTED,
        None,
    ),
    (
        "A read that is not consistent may be of an older item",
        f"{GUIDE}/HowItWorks.ReadConsistency.html",
        "never",
        "nothing: the parameter is sent as it is",
        None,
    ),
]
PROVEN = [(title, proof) for title, _, _, _, proof in ROWS if proof]


@pytest.mark.parametrize("proof", [pytest.param(proof, id=title) for title, proof in PROVEN])
def test_emulator_still_plays_less(client, proof):
    proof(client)


def test_document_has_the_rows():
    rendered = [
        f"| {what} ([source]({source})) | {emulator} | {instead} |"
        for what, source, emulator, instead, _ in ROWS
    ]

    rows = re.findall(r"^\| .*https.*\|$", DOCUMENT.read_text(), re.MULTILINE)

    assert rows == rendered
    assert [
        path for path in re.findall(r"`(\S+\.py)`", "".join(rows)) if not (ROOT / path).exists()
    ] == []
