"""The DynamoDB tables, as `shared_utils.table_names` declares them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from constructs import Construct

from infrastructure.names import encryption_key
from shared_utils.table_names import TABLES, TRANSLATION_CACHE_TABLE_NAME, TableSchema

if TYPE_CHECKING:
    from infrastructure.settings import StageSettings

__all__ = ["Tables"]

_TYPES = {
    "S": dynamodb.AttributeType.STRING,
    "N": dynamodb.AttributeType.NUMBER,
    "B": dynamodb.AttributeType.BINARY,
}


class Tables(Construct):
    """One table for each row of `TABLES`, by base name.

    TranslationCache is left out: it belongs to the translation pipeline, which is another stack.
    """

    def __init__(self, scope: Construct, construct_id: str, *, settings: StageSettings) -> None:
        super().__init__(scope, construct_id)
        self._key = encryption_key(self, settings)
        self.by_name = {
            name: self._create(schema, f"{name}-{settings.stage}")
            for name, schema in TABLES.items()
            if name != TRANSLATION_CACHE_TABLE_NAME
        }

    @property
    def environment(self) -> dict[str, str]:
        """The variables in which the functions find the tables' names."""
        return {TABLES[name].variable: table.table_name for name, table in self.by_name.items()}

    def _create(self, schema: TableSchema, table_name: str) -> dynamodb.Table:
        table = dynamodb.Table(
            self,
            schema.base_name,
            table_name=table_name,
            partition_key=_attribute(schema.partition_key),
            time_to_live_attribute=schema.ttl_attribute,
            # Broadcasts come and go: nobody knows their load beforehand.
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            # Without a key of the customer's, DynamoDB encrypts with one of its own.
            encryption_key=self._key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            # Rows live for hours, and a kept table's name would block the stage's next deployment.
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        for index in schema.indexes:
            table.add_global_secondary_index(
                index_name=index.name,
                partition_key=_attribute(index.partition_key),
                sort_key=_attribute(index.sort_key),
                # A heartbeat changes no key, and so does not write the index a second time.
                projection_type=dynamodb.ProjectionType.KEYS_ONLY,
            )
        return table


def _attribute(key: tuple[str, str]) -> dynamodb.Attribute:
    name, kind = key
    return dynamodb.Attribute(name=name, type=_TYPES[kind])
