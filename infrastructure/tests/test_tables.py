"""The tables in the template are those that the layer declares."""

from shared_utils.table_names import TABLES


def test_tables_are_those_of_the_layer(dev):
    names = {table["TableName"] for table in dev.properties("DynamoDB::Table")}

    assert names == {f"{name}-dev" for name in TABLES} - {"TranslationCache-dev"}


def test_tables_have_the_declared_keys(dev):
    for table in dev.properties("DynamoDB::Table"):
        declared = TABLES[table["TableName"].removesuffix("-dev")]
        types = {
            row["AttributeName"]: row["AttributeType"] for row in table["AttributeDefinitions"]
        }
        key, kind = declared.partition_key

        assert table["KeySchema"] == [{"AttributeName": key, "KeyType": "HASH"}]
        assert types[key] == kind
        assert table["TimeToLiveSpecification"] == {
            "AttributeName": declared.ttl_attribute,
            "Enabled": True,
        }
        assert [index["IndexName"] for index in table.get("GlobalSecondaryIndexes", [])] == [
            index.name for index in declared.indexes
        ]


def test_listeners_index_is_as_narrow_as_can_be(dev):
    [connections] = (
        table
        for table in dev.properties("DynamoDB::Table")
        if table["TableName"] == "Connections-dev"
    )

    assert connections["GlobalSecondaryIndexes"] == [
        {
            "IndexName": "sessionId-targetLanguage-index",
            "KeySchema": [
                {"AttributeName": "sessionId", "KeyType": "HASH"},
                {"AttributeName": "targetLanguage", "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
    ]


def test_tables_are_paid_by_request_and_can_be_restored(dev):
    for table in dev.properties("DynamoDB::Table"):
        assert table["BillingMode"] == "PAY_PER_REQUEST"
        assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
