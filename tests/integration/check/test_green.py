"""All is well: the check says so, and has looked at everything."""

from tests.integration.check.conftest import Check, leave
from tests.integration.services.story import Story


async def test_a_healthy_platform_holds_and_every_invariant_was_looked_at(lived: Story, judge: Check) -> None:
    report = await judge(lived.platform)
    assert report.ok, report.render()
    assert [finding.invariant for finding in report.findings] == [f"I{n}" for n in range(2, 11)]
    assert all(finding.compared > 0 for finding in report.findings), report.render()
    assert not [finding.excluded for finding in report.findings if finding.excluded]


async def test_it_holds_after_a_leaving(lived: Story, judge: Check) -> None:
    """The pair ends, the partner is told, the mentee waits again, and what was booked is cancelled."""
    before = await judge(lived.platform)
    await leave(lived)
    after = await judge(lived.platform)
    assert after.ok, after.render()
    told = "a pair starts or ends: both are told, but for who left"
    assert after.finding("I3").counts[told] == before.finding("I3").counts[told] + 1
