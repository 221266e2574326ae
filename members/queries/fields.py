"""The fields of the condition language over who a member is: profile, identities, consent, a random bucket."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from django.db import connection
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from members.enums import Channel, ConsentState, Gender, IdentityKind, Purpose
from members.models import Region, Source, Staff, Store
from members.queries import attribute_fields, benefit_fields, fact_fields, task_fields, tier_fields
from members.rules import attributes
from scrm.common.conditions import (
    Choice,
    Column,
    Context,
    Field,
    FieldType,
    Leaf,
    Param,
    ParamKind,
    Row,
    Rows,
    Sql,
    bind,
    calendar,
    compose,
    register,
    register_family,
)

PROFILE = pgettext_lazy("member", "Profile")
PLACE = _("Store and staff")
CONTACT = _("Identity and consent")
OTHER = _("Other")


_PROFILE = frozenset({"profile"})
# Stores move from one region to another.
_REGION = frozenset({"profile", "region"})
_IDENTITY = frozenset({"identity"})
_CONSENT = frozenset({"consent"})


def _text(column: str) -> Callable[[Context], Column]:
    """A text column where the empty string means unset."""
    return lambda _context: Column(Sql(f"m.{column}"), Sql(f"m.{column} <> ''"))


def _nullable(column: str) -> Callable[[Context], Column]:
    return lambda _context: Column(Sql(f"m.{column}"), Sql(f"m.{column} IS NOT NULL"))


def _age(context: Context) -> Column:
    """Whole years on the shop's calendar."""
    return Column(
        compose("EXTRACT(year FROM age({}::date, m.birth_on))::int", bind(context.today)),
        compose("m.birth_on <= {} AND m.birth_on IS NOT NULL", bind(context.today)),
    )


def _age_turns(_leaf: Leaf, context: Context) -> Sql:
    """The next birthday. `age` counts 29 February as 1 March in other years, a day later than anniversaries do."""
    return calendar.anniversary(Sql("m.birth_on"), context.today, before=0, after=0)


def _joined(_context: Context) -> Column:
    return Column(Sql("m.joined_at"), Sql("TRUE"))


def _region(_context: Context) -> Row:
    return Row("members_store st", Sql("st.id = m.store_id"), Sql("st.region_id"))


def _identities(_context: Context) -> Rows:
    return Rows("members_identity i", Sql("i.member_id = m.id"), Sql("i.kind"))


def _consent(channel: Channel) -> Callable[[Context], Row]:
    return lambda _context: Row(
        "members_consent c",
        Sql(
            "c.member_id = m.id AND c.channel = %s AND c.purpose = %s",
            (channel.value, Purpose.MARKETING.value),
        ),
        Sql("c.state"),
    )


def _bucket(context: Context) -> Column:
    """0–9999, evenly spread and independent for each salt: the first 32 bits of md5("id:salt") modulo 10,000."""
    return Column(
        compose(
            "mod(('x' || left(md5(m.id::text || ':' || {}), 8))::bit(32)::bigint, 10000)",
            bind(context.params.get("salt", "")),
        ),
        Sql("TRUE"),
    )


def _genders() -> Sequence[Choice]:
    return [Choice(gender.value, gender.label) for gender in Gender if gender.value]


def cities() -> Sequence[Choice]:
    """The cities that members have, by hops through the index on the city: cheap at any number of members."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH RECURSIVE hop (city) AS (
                (SELECT city FROM members_member WHERE city > '' ORDER BY city LIMIT 1)
                UNION ALL
                SELECT (SELECT n.city FROM members_member n WHERE n.city > hop.city ORDER BY n.city LIMIT 1)
                FROM hop WHERE hop.city IS NOT NULL
            )
            SELECT city FROM hop WHERE city IS NOT NULL LIMIT 1000
            """
        )
        return [Choice(city, city) for (city,) in cursor.fetchall()]


def stores() -> Sequence[Choice]:
    return [
        Choice(store.pk, store.name, store.region.name if store.region else "")
        for store in Store.objects.select_related("region").order_by("region__name", "name")
    ]


def regions() -> Sequence[Choice]:
    return [Choice(region.pk, region.name) for region in Region.objects.order_by("name")]


def sources() -> Sequence[Choice]:
    return [Choice(source.pk, str(source)) for source in Source.objects.order_by("key")]


def owners() -> Sequence[Choice]:
    return [
        Choice(staff.pk, staff.name, staff.store.name if staff.store else "")
        for staff in Staff.objects.select_related("store").order_by("store__name", "name")
    ]


def _kinds() -> Sequence[Choice]:
    return [Choice(kind.value, kind.label) for kind in IdentityKind]


def _states() -> Sequence[Choice]:
    return [Choice(state.value, state.label) for state in ConsentState]


_CONSENT_LABELS = {
    Channel.EMAIL: _("Marketing consent: e-mail"),
    Channel.SMS: _("Marketing consent: SMS"),
    Channel.WECOM: _("Marketing consent: WeCom"),
    Channel.OFFICIAL_ACCOUNT: _("Marketing consent: official account"),
    Channel.APP_PUSH: _("Marketing consent: app push"),
    Channel.SANDBOX: _("Marketing consent: sandbox"),
}

register(
    Field("gender", _("Gender"), PROFILE, FieldType.ENUM, _text("gender"), choices=_genders, topics=_PROFILE),
    Field("city", _("City"), PROFILE, FieldType.TEXT, _text("city"), choices=cities, open=True, topics=_PROFILE),
    Field("province", _("Province"), PROFILE, FieldType.TEXT, _text("province"), topics=_PROFILE),
    Field("country", _("Country"), PROFILE, FieldType.TEXT, _text("country"), topics=_PROFILE),
    Field("birthday", _("Birthday"), PROFILE, FieldType.DATE, _nullable("birth_on"), topics=_PROFILE),
    Field("age", _("Age"), PROFILE, FieldType.INTEGER, _age, topics=_PROFILE, turns=_age_turns),
    Field("name", pgettext_lazy("member", "Name"), PROFILE, FieldType.TEXT, _text("name"), topics=_PROFILE),
    Field("joined_at", _("Joined"), PROFILE, FieldType.DATETIME, _joined, always_set=True, topics=_PROFILE),
    Field("source", _("Source"), PROFILE, FieldType.ENUM, _nullable("source_id"), choices=sources, topics=_PROFILE),
    Field("store", _("Store"), PLACE, FieldType.ENUM, _nullable("store_id"), choices=stores, topics=_PROFILE),
    Field("region", _("Region"), PLACE, FieldType.ENUM, _region, choices=regions, topics=_REGION),
    Field("owner", _("Staff owner"), PLACE, FieldType.ENUM, _nullable("owner_id"), choices=owners, topics=_PROFILE),
    *fact_fields.fields(sources=sources, stores=stores),
    *tier_fields.fields(),
    *benefit_fields.fields(),
    *task_fields.fields(),
    Field("identity", _("Identity"), CONTACT, FieldType.SET, _identities, choices=_kinds, topics=_IDENTITY),
    *(
        Field(
            f"consent.{channel.value}",
            label,
            CONTACT,
            FieldType.ENUM,
            _consent(channel),
            choices=_states,
            topics=_CONSENT,
        )
        for channel, label in _CONSENT_LABELS.items()
    ),  # fmt: skip
    Field(
        "bucket",
        _("Random bucket (0–9999)"),
        OTHER,
        FieldType.INTEGER,
        _bucket,
        always_set=True,
        params=(Param("salt", _("Salt"), many=False, kind=ParamKind.TEXT),),
    ),
)
register_family(attributes.PREFIX, attribute_fields.resolve, attribute_fields.every)
