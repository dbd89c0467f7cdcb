"""Of a stack with other zips, nothing but the zips and their keys is another."""

from __future__ import annotations

from typing import Any

from wslocal.sources import Stack, with_code


def test_code_is_replaced_and_nothing_else() -> None:
    code = {"S3Bucket": "local-assets", "S3Key": "old.zip"}
    template: dict[str, Any] = {
        "Resources": {
            "Layer": {"Type": "AWS::Lambda::LayerVersion", "Properties": {"Content": {**code}}},
            "Audio": {"Type": "AWS::Lambda::Function", "Properties": {"Code": {**code}}},
            "Inline": {
                "Type": "AWS::Lambda::Function",
                "Properties": {"Code": {"ZipFile": "pass"}},
            },
            "Table": {"Type": "AWS::DynamoDB::Table", "Properties": {"Code": "of another kind"}},
        }
    }

    made = with_code(Stack("Stack", template, {"old.zip": b"old"}, {}), lambda archive: b"new")

    [(key, archive)] = made.archives.items()
    assert archive == b"new"
    properties = {name: one["Properties"] for name, one in made.template["Resources"].items()}
    assert properties == {
        "Layer": {"Content": {"S3Bucket": "local-assets", "S3Key": key}},
        "Audio": {"Code": {"S3Bucket": "local-assets", "S3Key": key}},
        "Inline": {"Code": {"ZipFile": "pass"}},
        "Table": {"Code": "of another kind"},
    }
    assert code["S3Key"] == template["Resources"]["Layer"]["Properties"]["Content"]["S3Key"]
