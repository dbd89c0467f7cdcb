"""Publishes in several regions, one after the other: a failure in one keeps none of the others from it."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from layerctl.aws import explain
from layerctl.errors import LayerctlError, StoppedError, WrongInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from layerctl.aws import Aws
    from layerctl.publishing import Published

__all__ = ["RegionResult", "check_known", "parse_regions", "publish_in", "refuse_failures"]

# Such as eu-west-1 and us-gov-east-1.
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-[0-9]+")


@dataclass(frozen=True, slots=True)
class RegionResult:
    """What became of the layer in a region: what was published, else the error that kept it from it."""

    region: str
    published: Published | None = None
    error: LayerctlError | None = None

    @property
    def state(self) -> str:
        """Return it for people: `published, made public`."""
        return self.published.state if self.published else "failed"

    @property
    def row(self) -> dict[str, Any]:
        """Return it for programs; `error` is '' if all went well."""
        published = asdict(self.published) if self.published else {}
        return {"region": self.region, **published, "error": str(self.error or "")}


def parse_regions(text: str) -> list[str]:
    """Return the regions that a text with commas names, each once, in its order."""
    names = [*dict.fromkeys(name.strip() for name in text.split(","))]
    wrong = [name for name in names if not _REGION.fullmatch(name)]
    if wrong:
        raise WrongInputError(
            "--regions takes names of regions with commas between them, like eu-west-1,us-east-1; "
            f"got {wrong[0]!r}"
        )
    return names


def check_known(regions: Iterable[str], aws: Aws) -> None:
    """Raise WrongInputError for a region that the SDK does not know: a slip of the pen, or a new one."""
    unknown = [region for region in regions if region not in aws.known_regions]
    if unknown:
        raise WrongInputError(
            f"there is no region {unknown[0]} that botocore knows: correct the name, or for a new region "
            "upgrade botocore"
        )


def publish_in(
    aws: Aws,
    regions: Iterable[str],
    publish: Callable[[Aws], Published],
    report: Callable[[RegionResult], None],
) -> list[RegionResult]:
    """Publish in each region, and report on each as soon as it is done."""
    results = []
    for region in regions:
        try:
            result = RegionResult(region, publish(aws.in_region(region)))
        except Exception as error:
            explained = explain(error)
            if explained is None:  # ours: no other region would fare better
                raise
            result = RegionResult(region, error=explained)
        report(result)
        results.append(result)
    return results


def refuse_failures(results: Sequence[RegionResult]) -> None:
    """Raise if a region failed; the exit code is 2 only if nothing was changed in any."""
    failed = [result for result in results if result.error]
    if not failed:
        return
    said = (
        f"{len(failed)} of {len(results)} regions failed: {', '.join(one.region for one in failed)}"
    )
    if len(failed) == len(results) and all(
        one.error and one.error.exit_code == 2 for one in failed
    ):
        raise LayerctlError(f"{said}; nothing was changed")
    raise StoppedError(f"{said}; the same command does the rest")
