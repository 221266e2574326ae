"""Model tags over the API."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from analytics.queries import model_board, model_words
from scrm.api.views import ApiView
from scrm.common.access import Permission


class ModelValueSerializer(serializers.Serializer):
    value = serializers.CharField(help_text="Stable; what conditions on `model.<name>` compare with.")
    label = serializers.CharField()  # type: ignore[assignment]  # DRF's fields have an attribute of that name
    members = serializers.IntegerField()
    tag = serializers.IntegerField(source="tag_id", allow_null=True)


class ModelTagsSerializer(serializers.Serializer):
    """One model, over the members the caller sees. Nulls before its first run."""

    model = serializers.CharField(source="key.value")
    label = serializers.CharField(source="key.label")  # type: ignore[assignment]  # as above
    description = serializers.SerializerMethodField()
    as_of = serializers.DateField(source="run.as_of", default=None, allow_null=True)
    published_at = serializers.DateTimeField(source="run.published_at", default=None, allow_null=True)
    known = serializers.IntegerField()
    unknown = serializers.IntegerField()
    values = ModelValueSerializer(many=True)
    quality = serializers.JSONField(source="run.quality", default=None, allow_null=True)

    def get_description(self, board: model_board.ModelBoard) -> str:
        return str(model_words.DESCRIPTIONS[board.key])


class ModelTagsView(ApiView):
    permission = Permission.ANALYTICS_VIEW

    @extend_schema(
        summary="Model tags",
        description="What each model concludes: members per value, unknowns, freshness, and how good it is.",
        responses=ModelTagsSerializer(many=True),
    )
    def get(self, request: Request) -> Response:
        return Response(ModelTagsSerializer(model_board.boards(actor=self.actor), many=True).data)
