from django.db import migrations

# Conditions over tasks that were begun hang on "task.state" too since tasks that pause, go on or end are followed at
# once. Which ones these are is not told from here for nested segments: one too many is only evaluated once in vain.
HANG_ON_STATE = """
    UPDATE tags_watch SET depends = depends || '{task.state}'::varchar[]
    WHERE 'task' = ANY(depends) AND NOT 'task.state' = ANY(depends)
      AND (condition::text LIKE '%"task.open"%' OR condition::text LIKE '%"segment"%')
"""


class Migration(migrations.Migration):
    dependencies = [("tags", "0006_watches_of_regions")]

    operations = [migrations.RunSQL(HANG_ON_STATE, migrations.RunSQL.noop)]
