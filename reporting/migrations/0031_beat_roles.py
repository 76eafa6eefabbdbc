from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("reporting", "0030_frequent_vacuum")]

    operations = [
        migrations.AddField(
            model_name="beat",
            name="role",
            field=models.TextField(
                choices=[("scheduler", "scheduler"), ("celery", "worker"), ("optional", "worker for messages")],
                db_default="scheduler",
                default="scheduler",
            ),
        ),
    ]
