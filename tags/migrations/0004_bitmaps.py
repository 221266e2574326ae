from django.db import migrations

from scrm.common.bitmaps import triggers


class Migration(migrations.Migration):
    """Bitmaps of tags and of listed segments hear of changes."""

    dependencies = [("tags", "0003_imported_lists"), ("common", "0003_bitmaps")]

    operations = [
        migrations.RunSQL(
            triggers.install("tag", "tags_membertag", member="member_id", key="tag_id", watched=["expires_at"]),
            triggers.remove("tag", "tags_membertag"),
        ),
        migrations.RunSQL(
            triggers.install("segment", "tags_segmentmember", member="member_id", key="segment_id", watched=[]),
            triggers.remove("segment", "tags_segmentmember"),
        ),
    ]
