from django.db import migrations

_HOLDS = """WHERE there.member_id = f.member_id AND there.currency_id = f.currency_id AND there.state = 'moved'
        ORDER BY here.number"""
# A hold that was moved before and came back by the undoing of another move stands here as moved as well, and the other
# member may have their own of that reference, open.
_HOLDS_OF_THIS_MOVE = """WHERE there.member_id = f.member_id AND there.currency_id = f.currency_id AND there.state = 'moved'
          AND EXISTS (
              SELECT 1 FROM members_pointsallocation gone
              JOIN members_pointsentry step ON step.member_id = gone.member_id AND step.currency_id = gone.currency_id
                   AND step.number = gone.entry AND step.kind = 'move' AND step.detail ->> 'move' = p_move::text
              WHERE gone.member_id = there.member_id AND gone.currency_id = there.currency_id
                AND gone.origin = there.number AND gone.origin <> gone.entry)
        ORDER BY here.number"""


def _say(schema_editor: object, old: str, new: str) -> None:
    with schema_editor.connection.cursor() as cursor:  # type: ignore[attr-defined]
        cursor.execute("SELECT pg_get_functiondef('points_bring_back'::regproc)")
        text = cursor.fetchone()[0]
        if text.count(old) != 1:
            raise ValueError("points_bring_back does not say what is to be replaced")
        cursor.execute(text.replace(old, new))


def _mend(_apps: object, schema_editor: object) -> None:
    _say(schema_editor, _HOLDS, _HOLDS_OF_THIS_MOVE)


def _back(_apps: object, schema_editor: object) -> None:
    _say(schema_editor, _HOLDS_OF_THIS_MOVE, _HOLDS)


class Migration(migrations.Migration):
    """Undoing a move of points brings back the holds of that move, and no others of the same reference."""

    dependencies = [("members", "0022_points_open")]

    operations = [migrations.RunPython(_mend, _back)]
