from django.apps import AppConfig


class CommonConfig(AppConfig):
    name = "scrm.common"
    label = "common"
