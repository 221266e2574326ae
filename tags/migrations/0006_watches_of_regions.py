from django.db import migrations

# Conditions over regions hang on "region" too since stores that move are followed at once. Which ones are about regions
# is not told from here for nested segments: one too many is only evaluated once in vain.
HANG_ON_REGION = """
    UPDATE tags_watch SET depends = depends || '{region}'::varchar[]
    WHERE 'profile' = ANY(depends) AND NOT 'region' = ANY(depends)
      AND (condition::text LIKE '%"region"%' OR condition::text LIKE '%"segment"%')
"""


class Migration(migrations.Migration):
    dependencies = [("tags", "0005_watches_unchecked")]

    operations = [migrations.RunSQL(HANG_ON_REGION, migrations.RunSQL.noop)]
