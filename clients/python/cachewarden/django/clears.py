"""Clears after writes. What is written in a transaction is cleared once it is committed, each thing once.

QuerySet.bulk_create, bulk_update and update send no signal. Give such a model ClearingManager, or call
clear_on_commit() and clear_model_on_commit() beside them.
"""

import functools
from typing import NamedTuple, Optional

from django.db import models, transaction
from django.db.models.signals import post_delete, post_save, pre_save

from .config import cache_service, client, model_name

CHUNK = 500  # keys in one query: SQLite takes 999
_owners = {}  # model: its _Owners
_cached_models = set()


def clear_on_save(model, owner, issuer=None):
    """Clears the view of who owns an instance, and of who owned it before, after a save or a deletion.

    owner: the name of a field ("customer_id", "cart__customer_id"), or a function of an instance that returns a
    user or a list of them; None is nobody. issuer: the users are those of another issuer, named as its tokens do.
    """
    _owners.setdefault(model, []).append(_Owner(owner, issuer))
    options = {"sender": model, "weak": False, "dispatch_uid": "cachewarden.view"}
    pre_save.connect(_before_save, **options)
    post_save.connect(_after_save, **options)
    post_delete.connect(_after_save, **options)


def clear_model_on_save(*classes):
    """Drops what the cache service keeps of these models, after a save or a deletion of one of their instances."""
    for model in classes:
        _cached_models.add(model)
        options = {"sender": model, "weak": False, "dispatch_uid": "cachewarden.model"}
        post_save.connect(_clear_sender, **options)
        post_delete.connect(_clear_sender, **options)


def clear_on_commit(user, issuer=None, using=None):
    """Clears the view of a user: a number, or as the issuer names them."""
    _after_commit(_ViewClear(int(user) if issuer is None else str(user), issuer), using)


def clear_model_on_commit(*classes, using=None):
    for model in classes:
        _after_commit(_ModelClear(model_name(model)), using)


class ClearingQuerySet(models.QuerySet):
    """Clears for bulk_create, bulk_update and update what the signals clear for a save.

    bulk_create with update_conflicts does not know who owned what it overwrites: call clear_on_commit for them.
    """

    def update(self, **fields):
        self._for_write = True
        owners = _owners.get(self.model, ())
        with transaction.atomic(using=self.db):
            changed = [_Changed(owner, self, fields) for owner in owners]
            count = super().update(**fields)
            for change in changed:
                change.clear()
            _clear_sender(self.model, self.db)
        return count

    update.alters_data = True

    def bulk_create(self, objs, *args, **kwargs):
        self._for_write = True
        objs = list(objs)
        with transaction.atomic(using=self.db):
            created = super().bulk_create(objs, *args, **kwargs)
            for owner in _owners.get(self.model, ()):
                owner.clear({user for instance in objs for user in owner.of(instance)}, self.db)
            _clear_sender(self.model, self.db)
        return created


ClearingManager = models.Manager.from_queryset(ClearingQuerySet, "ClearingManager")


# ---- after a commit ----


class _ViewClear(NamedTuple):
    user: object
    issuer: Optional[str]

    def send(self):
        if self.issuer is None:
            client().clear_user(self.user)
        else:
            client().clear_subject(self.issuer, self.user)


class _ModelClear(NamedTuple):
    name: str

    def send(self):
        cache_service().clear_model(self.name)


class _Commit:
    """The clears of one transaction, when they run: all after the same commit, so that one of a kind is enough.

    Each stands in on_commit by itself, because Django drops those of a savepoint that was rolled back.
    """

    def __init__(self, connection):
        self._connection = connection
        self._sent = set()

    def send(self, clear):
        if getattr(self._connection, "cachewarden_commit", None) is self:
            del self._connection.cachewarden_commit  # what is written from now on is of another
        if clear not in self._sent:
            self._sent.add(clear)
            clear.send()


def _after_commit(clear, using):
    connection = transaction.get_connection(using)
    commit = getattr(connection, "cachewarden_commit", None)
    if commit is None:
        commit = connection.cachewarden_commit = _Commit(connection)
    transaction.on_commit(functools.partial(commit.send, clear), using=using)


# ---- owners ----


class _Owner:
    """Whose view an instance of a model is in."""

    def __init__(self, owner, issuer):
        self._path = owner if isinstance(owner, str) else None
        self._function = None if self._path else owner
        self._issuer = issuer

    def of(self, instance):
        if self._path:
            return _users(functools.reduce(_attribute, self._path.split("__"), instance))
        return _users(self._function(instance))

    def of_rows(self, rows):
        """As the database has them."""
        if self._path:
            return {user for user in rows.order_by().values_list(self._path, flat=True).distinct() if user is not None}
        return {user for instance in rows.iterator() for user in self.of(instance)}

    def is_changed_by(self, fields):
        """Whether an update of these fields may give a row to somebody else."""
        if not self._path:
            return True
        first = self._path.partition("__")[0]
        return first in fields or first + "_id" in fields or first[-3:] == "_id" and first[:-3] in fields

    def clear(self, users, using):
        for user in users:
            clear_on_commit(user, self._issuer, using)


class _Changed:
    """The owners of rows that an update changes, before and after."""

    def __init__(self, owner, rows, fields):
        self._owner, self._model, self._using = owner, rows.model, rows.db
        self._keys = ()
        if owner.is_changed_by(fields):
            self._keys = list(rows.order_by().values_list("pk", flat=True))
            self._users = self._now()
        else:
            self._users = owner.of_rows(rows)

    def clear(self):
        self._owner.clear(self._users | self._now(), self._using)

    def _now(self):
        users = set()
        for start in range(0, len(self._keys), CHUNK):
            rows = _rows(self._model, self._using).filter(pk__in=self._keys[start : start + CHUNK])
            users |= self._owner.of_rows(rows)
        return users


def _attribute(instance, name):
    return None if instance is None else getattr(instance, name)


def _users(found):
    many = isinstance(found, (list, tuple, set, frozenset))
    return {user for user in (found if many else (found,)) if user is not None}


def _rows(model, using):
    return model._base_manager.using(using)


# ---- signals ----


def _before_save(sender, instance, using, raw=False, **_):
    """Keeps who owns the row now, for _after_save."""
    is_new = instance.pk is None or instance._state.adding and instance._meta.pk.has_default()
    if raw or is_new:
        return
    rows = _rows(sender, using).filter(pk=instance.pk)
    instance._cachewarden_owners = [owner.of_rows(rows) for owner in _owners[sender]]


def _after_save(sender, instance, using, **_):
    before = instance.__dict__.pop("_cachewarden_owners", None)
    for i, owner in enumerate(_owners[sender]):
        owner.clear(owner.of(instance) | (before[i] if before else set()), using)


def _clear_sender(sender, using, **_):
    if sender in _cached_models:
        clear_model_on_commit(sender, using=using)
