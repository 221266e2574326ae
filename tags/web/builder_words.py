"""What the condition builder says, in the page's language. `{name}` is filled in by the browser."""

from __future__ import annotations

from django.utils.translation import gettext as _
from django.utils.translation import pgettext


def words() -> dict[str, str]:
    """Every word by the name under which the builder looks it up."""
    return {**_tree(), **_values(), **_picking(), **_acts(), **_keys(), **_said(), **_around()}


def _tree() -> dict[str, str]:
    return {
        "tree": _("Conditions"),
        "all": _("All of these"),
        "any": _("Any of these"),
        "none": _("None of these"),
        "join_all": pgettext("between conditions", "and"),
        "join_any": pgettext("between conditions", "or"),
        "join_none": pgettext("between conditions", "nor"),
        "group": _("How the conditions combine"),
        "conditions": _("Conditions: {count}"),
        "add": _("Add condition"),
        "addGroup": _("Add group"),
        "addTo": _("Add to: {group}"),
        "empty": _("No condition yet"),
        "drag": _("Drag to move, press for more"),
        "actions": _("What to do with this row"),
        "fold": _("Fold the group"),
        "unfold": _("Unfold the group"),
        "rowCount": _("Members who fulfil just this"),
        "countRow": _("Count who fulfils just this"),
        "countNow": _("Count"),
        "unknown": _("Unknown field:"),
    }


def _values() -> dict[str, str]:
    return {
        "field": _("Field"),
        "narrow": _("Narrow down"),
        "operator": _("Comparison"),
        "value": _("Value"),
        "property": _("Property"),
        "addFilter": _("Property filter"),
        "removeFilter": _("Remove this restriction"),
        "unit": _("Unit of time"),
        "window": _("Time window"),
        "ever": _("Ever"),
        "last": _("In the last"),
        "dates": _("Between dates"),
        "from": _("From"),
        "to": _("Until"),
        "and": pgettext("between", "and"),
        "minute": _("minutes"),
        "hour": _("hours"),
        "day": _("days"),
        "week": _("weeks"),
        "month": _("months"),
        "comma": pgettext("between values", ", "),
        "more": _("{count} more"),
        "removeNamed": _("Remove {name}"),
    }


def _picking() -> dict[str, str]:
    return {
        "choose": _("Choose"),
        "search": _("Search …"),
        "searchIn": _("Search: {label}"),
        "recent": _("Recently used"),
        "addValue": _("Add “{value}”"),
        "narrowDown": _("{count} more. Type to find them."),
        "nothing": _("Nothing matches."),
        "pasteList": _("Paste a list"),
        "pasteHint": _("One value per line, or with commas between them"),
        "pasteAdd": _("Add these values"),
        "pasted": _("Taken over: {count}."),
        "notFound": _("Not found: {count} ({values})."),
        "done": pgettext("button", "Done"),
    }


def _acts() -> dict[str, str]:
    return {
        "duplicate": _("Duplicate"),
        "wrap": _("Put into a group"),
        "unwrap": _("Dissolve the group"),
        "up": pgettext("condition", "Move up"),
        "down": pgettext("condition", "Move down"),
        "in": _("Move into the group beside it"),
        "out": _("Move out of its group"),
        "copy": _("Copy as JSON"),
        "pasteAfter": _("Paste after it"),
        "remove": _("Remove"),
        "undo": _("Undo"),
        "redo": _("Redo"),
        "cancel": _("Cancel"),
        "close": _("Close"),
        "tools": _("Tools of the builder"),
    }


def _keys() -> dict[str, str]:
    return {
        "shortcuts": _("Keyboard shortcuts"),
        "keyRows": _("From row to row"),
        "keySelect": _("Select several rows (also Ctrl and click)"),
        "keyEnter": _("Into the controls of a row, and back to the row"),
        "keyFold": _("Fold and unfold a group; to the group around a row"),
        "keyInsert": _("Add a condition after the row"),
        "keyMove": _("Move the row up or down"),
        "keyLevel": _("Move the row into a group or out of it"),
        "keyMenu": _("Menu of the row"),
        "keyClipboard": _("Copy, cut and paste as JSON"),
    }


def _said() -> dict[str, str]:
    return {
        "added": _("Added: {name}"),
        "removed": _("Removed: {name}"),
        "duplicated": _("Duplicated: {name}"),
        "wrapped": _("Put into a group: {name}"),
        "unwrapped": _("Group dissolved"),
        "moved": _("{name}: moved to place {position} of {count} in “{group}”, level {level}"),
        "notMoved": _("It cannot be moved there."),
        "copied": _("Copied: {name}"),
        "notPasted": _("There is no condition to paste."),
        "selected": _("Rows selected: {count}"),
        "undone": _("Undone"),
        "redone": _("Redone"),
        "replaced": _("The whole condition was replaced"),
        "total": _("Members selected: {count}"),
        "failed": _("That did not work. Try again in a moment."),
    }


def _around() -> dict[str, str]:
    return {
        "incomplete": _("The condition is not complete. Go to:"),
        "notCounted": _("This cannot be counted:"),
        "json": _("Show as JSON"),
        "jsonApply": _("Use this JSON"),
        "jsonSyntax": _("This is no JSON: look at line {line}."),
        "jsonShape": _("This is no condition: {path}"),
        "exclude": _("Exclude members of segments"),
        "excludeHint": _("Whoever is in one of these segments is left out, whatever else is true."),
        "explain": _("Why is a member in or out?"),
        "explainShort": _("Check a member"),
        "searchMember": _("Name, phone, e-mail or number"),
        "otherMember": _("Another member"),
        "isIn": _("{name} fulfils the condition"),
        "isOut": _("{name} does not fulfil the condition"),
        "isTrue": _("True"),
        "isFalse": _("Not true"),
        "found": _("found: {value}"),
        "nothingFound": _("nothing"),
        "notYet": _("The condition is not complete yet."),
        "draftFound": _("What you typed at {time} was not saved."),
        "draftStale": _("Meanwhile somebody saved a change."),
        "draftRestore": _("Restore"),
        "draftDiscard": _("Discard"),
        "draftSaved": _("Draft kept in this browser at {time}"),
    }
