"""All is well: the check says so, and has looked at everything."""

from tests.integration.check.conftest import Check
from tests.integration.services.story import Story


async def test_a_healthy_platform_holds_and_every_invariant_was_looked_at(lived: Story, judge: Check) -> None:
    report = await judge(lived.platform)
    assert report.ok, report.render()
    assert [finding.invariant for finding in report.findings] == [f"I{n}" for n in range(2, 11)]
    assert all(finding.compared > 0 for finding in report.findings), report.render()
    assert not [finding.excluded for finding in report.findings if finding.excluded]
