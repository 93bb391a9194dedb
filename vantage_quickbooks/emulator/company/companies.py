"""Every company of an emulator: opened from a database, loaded from a folder, or generated."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING

from vantage_quickbooks.emulator.company import loader
from vantage_quickbooks.emulator.company.company import Company
from vantage_quickbooks.emulator.company.sample import Sample
from vantage_quickbooks.emulator.company.store import Store
from vantage_quickbooks.emulator.company.times import DEFAULT_ZONE, zone_of

if TYPE_CHECKING:
    import os
    from collections.abc import Callable

    from vantage_quickbooks.emulator.company.row import Row
    from vantage_quickbooks.emulator.company.store import Changed

_COMPANY = "CompanyInfo"
_BULK_LOAD = 20_000  # from this many records on, indexes are created after the load
_SAMPLE_AGE_S = 3_600  # for which a generated sample is loaded again: its times are relative to the clock


class Companies:
    """The companies of one emulator and the store that holds them. Thread-safe.

    Args:
        realm_id: The first company's id.
        now: Returns the time as epoch seconds.
        seed: Decides the first company's sample data.
        data: A folder of saved Intuit responses for the first company; None generates a sample company.
        customers: The sample company's number of customers; None is the 30 of customers.csv.
        invoices: The sample company's number of invoices; None is 60.
        database: A SQLite file that keeps the companies; None is a temporary one.
        on_changes: Called with what each write changed; see `Store`.

    Raises:
        ValueError: A number is negative, or both data and a number are given.
    """

    def __init__(
        self,
        *,
        realm_id: str,
        now: Callable[[], float],
        seed: int,
        data: str | os.PathLike[str] | None,
        customers: int | None,
        invoices: int | None,
        database: str | os.PathLike[str] | None,
        on_changes: Callable[[list[Changed]], None] | None = None,
    ) -> None:
        self._on_changes = on_changes
        for name, number in (("customers", customers), ("invoices", invoices)):
            if number is not None and number < 0:
                raise ValueError(f"{name} cannot be less than 0")
        if data is not None and (customers is not None or invoices is not None):
            raise ValueError("a company is either loaded from data or generated from numbers, not both")
        self._realm_id = realm_id
        self._now = now
        self._seed = seed
        self._data = Path(data) if data is not None else None
        self._sizes = (customers, invoices)
        self._database = Path(database) if database is not None else None
        self._store: Store | None = None
        self._lock = threading.RLock()
        self._replaced = False  # whether the first company has other data than at the start
        self._by_realm: dict[str, Company] = {}
        self._generated: tuple[tuple[object, ...], list[tuple[str, Row]]] | None = None

    @property
    def store(self) -> Store:
        """The store; RuntimeError while the emulator is not started."""
        if self._store is None:
            raise RuntimeError("the emulator is not started")
        return self._store

    def open(self) -> None:
        """Open the store, and load the first company unless the store has it already.

        Raises:
            ValueError: The data cannot be read.
            OSError: The database cannot be opened.
        """
        self._store = Store(self._database, self._on_changes)
        self._load()

    def close(self) -> None:
        """Close the store; a temporary one is removed."""
        if self._store:
            self._store.close()
        self._store = None
        self._by_realm.clear()

    def reset(self) -> None:
        """Restore the companies of the start, unless nothing has changed."""
        with self._lock:
            if self._store and (self._store.changed or len(self._by_realm) > 1 or self._replaced):
                self._replaced = False
                self._store.clear()
                self._load()
            for company in self._by_realm.values():
                company.idempotency.clear()

    def find(self, realm_id: str) -> Company | None:
        """Return the company of a realm id, or None."""
        return self._by_realm.get(realm_id)

    def get(self, realm_id: str) -> Company:
        """Return the company of a realm id; a new one gets sample data.

        Args:
            realm_id: Digits.

        Raises:
            ValueError: The realm id is not a number.
        """
        if not (realm_id.isascii() and realm_id.isdigit()):
            raise ValueError("a realm id is digits")
        with self._lock:
            if realm_id not in self._by_realm:
                self.store.load(realm_id, self._sample(int(realm_id) % 2**31, None, None).records())
                self.adopt(realm_id)
            return self._by_realm[realm_id]

    def add(self, realm_id: str) -> None:
        """Create a company with the data that the first one has at the start.

        Args:
            realm_id: Digits; a company of this id is replaced.
        """
        with self._lock:
            self.store.remove_company(realm_id)
            customers, invoices = self._sizes
            if self._data:
                self.store.load(realm_id, loader.load(self._data))
                if self.store.body(realm_id, "CompanyInfo", "1") is None:
                    self.store.load(realm_id, (one for one in self._rows(self._seed, None, None) if one[0] == _COMPANY))
            elif (customers or 0) + (invoices or 0) >= _BULK_LOAD:
                self.store.load(realm_id, self._rows(self._seed, None, None))
            else:
                self.store.load(realm_id, self._rows(self._seed, customers, invoices))
            self.adopt(realm_id)

    def remove(self, realm_id: str) -> None:
        """Remove a company, which is not the first.

        Raises:
            ValueError: It is the first company.
        """
        if realm_id == self._realm_id:
            raise ValueError("the first company cannot be removed")
        with self._lock:
            self._by_realm.pop(realm_id, None)
            self.store.remove_company(realm_id)

    def replace_first(self, seed: int | None, customers: int | None, invoices: int | None) -> None:
        """Give the first company other sample data, until a reset.

        Args:
            seed: None is the emulator's.
            customers: The number of customers; None is the 30 of customers.csv.
            invoices: The number of invoices; None is 60.

        Raises:
            ValueError: A number is negative.
        """
        for name, number in (("customers", customers), ("invoices", invoices)):
            if number is not None and number < 0:
                raise ValueError(f"{name} cannot be less than 0")
            if number is not None and number > _BULK_LOAD:
                raise ValueError(f"{name} cannot be more than {_BULK_LOAD:,} here; start an emulator with that number")
        with self._lock:
            self._replaced = True
            self.store.remove_company(self._realm_id)
            self.store.load(self._realm_id, self._rows(self._seed if seed is None else seed, customers, invoices))
            self.adopt(self._realm_id)

    def _rows(self, seed: int, customers: int | None, invoices: int | None) -> list[tuple[str, Row]]:
        """Return a sample's records; those generated last are kept, because loading them costs a sixth of it."""
        period = int(self._now() // _SAMPLE_AGE_S)
        key = (seed, customers, invoices, period)
        if self._generated is None or self._generated[0] != key:
            self._generated = key, list(self._sample(seed, customers, invoices).records())
        return self._generated[1]

    def adopt(self, realm_id: str) -> None:
        """Open, or open again, the company whose records the store holds under a realm id."""
        self._by_realm[realm_id] = Company(self.store, realm_id, self._now)

    def all(self) -> dict[str, Company]:
        """Return the open companies by realm id."""
        return dict(self._by_realm)

    def _sample(self, seed: int, customers: int | None, invoices: int | None) -> Sample:
        zone = zone_of(DEFAULT_ZONE)
        return Sample(seed=seed, now=self._now(), zone=zone, customers=customers, invoices=invoices)

    def _load(self) -> None:
        if self.store.body(self._realm_id, "CompanyInfo", "1") is None:
            self._load_first()
        realms = self.store.realms()
        for realm in realms:
            self.adopt(realm)
        for gone in self._by_realm.keys() - set(realms):
            del self._by_realm[gone]

    def _load_first(self) -> None:
        store, realm = self.store, self._realm_id
        customers, invoices = self._sizes
        if self._data:
            store.load(realm, loader.load(self._data))
            if store.body(realm, "CompanyInfo", "1") is None:  # a folder need not contain one
                store.load(realm, (one for one in self._rows(self._seed, None, None) if one[0] == _COMPANY))
        elif (customers or 0) + (invoices or 0) >= _BULK_LOAD:
            store.bulk_load(realm, self._sample(self._seed, customers, invoices).records())
        else:
            store.load(realm, self._rows(self._seed, customers, invoices))
