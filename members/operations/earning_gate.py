"""The earning rules that count, as this process knows them.

A rule is activated, paused or changed with the gate shut for a moment: what is queued to look at past orders then sees
every batch that did not yet know of the change.
"""

from __future__ import annotations

from members.queries.earning_versions import Known, read
from scrm.common.gates import Gate

GATE: Gate[Known] = Gate(
    "members.earning",
    signature="SELECT string_agg(id || ' ' || xmin::text, ',' ORDER BY id) FROM members_earningperiod",
    nothing=Known(),
    read=lambda _signature, _before: (Known(read()), True),
)
