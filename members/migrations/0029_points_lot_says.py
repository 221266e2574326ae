from django.db import migrations, models

_OPEN = """
-- Whether something is left of a lot; what does not fit is no lot.
CREATE FUNCTION points_lot_open(earned bigint, held bigint, remaining bigint) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    IF (earned >= 1 AND held >= 0 AND remaining BETWEEN held AND earned) IS NOT TRUE THEN
        RAISE EXCEPTION 'a lot does not fit (points_lot_fits)'
        USING ERRCODE = 'check_violation', CONSTRAINT = 'points_lot_fits';
    END IF;
    RETURN remaining > 0;
END $$;
"""
_FITS = """
CREATE FUNCTION points_lot_fits(earned bigint, held bigint, remaining bigint) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
BEGIN
    RETURN earned >= 1 AND held >= 0 AND remaining BETWEEN held AND earned;
END $$;
"""


class Migration(migrations.Migration):
    """A lot's generated column also asks what its check did. Writes the table of lots anew, once."""

    dependencies = [("members", "0028_points_one_lot")]

    operations = [
        migrations.RunSQL(_OPEN, "DROP FUNCTION points_lot_open"),
        migrations.RemoveIndex("pointslot", "points_lot_open"),
        migrations.RemoveField("pointslot", "open"),
        migrations.AddField(
            "pointslot",
            "open",
            models.GeneratedField(
                expression=models.Func(
                    "earned", "held", "remaining", function="points_lot_open", output_field=models.BooleanField()
                ),
                output_field=models.BooleanField(),
                db_persist=True,
            ),
        ),
        migrations.AddIndex(
            "pointslot",
            models.Index(
                fields=["member", "currency", "expires_at", "earned_at", "number"],
                condition=models.Q(("open", True)),
                name="points_lot_open",
            ),
        ),
        migrations.RemoveConstraint("pointslot", "points_lot_fits"),
        migrations.RunSQL("DROP FUNCTION points_lot_fits", _FITS),
    ]
