// The settings while their page is shown: what holds, what was saved just now, and what was refused and why.

import { SvelteMap, SvelteSet } from 'svelte/reactivity';

import { asFailure, type Backend } from '../backend';
import type { Autostart } from '../bindings/Autostart';
import type { AutostartWish } from '../bindings/AutostartWish';
import type { ConfigChange } from '../bindings/ConfigChange';
import type { Error as Failure } from '../bindings/Error';
import type { SettingKey } from '../bindings/SettingKey';
import type { Settings } from '../bindings/Settings';

/** How long "Saved" stands beside a row. */
const SAVED = 3000;

export type Row = SettingKey | 'quiet_hours' | 'autostart';

export class SettingsState {
  held = $state<Settings | null>(null);
  autostart = $state<Autostart | null>(null);
  /** Why the settings, or how the program starts, cannot be read. */
  failure = $state<Failure | null>(null);
  autostartFailure = $state<Failure | null>(null);
  readonly saved = new SvelteSet<Row>();
  readonly saving = new SvelteSet<Row>();
  readonly refused = new SvelteMap<Row, Failure>();
  /** Settings are written one after the other: each change is made of the file as the one before left it. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(readonly backend: Backend) {}

  async read(): Promise<void> {
    this.failure = null;
    this.autostartFailure = null;
    await Promise.all([
      this.backend
        .settings()
        .then((held) => (this.held = held))
        .catch((thrown: unknown) => (this.failure = asFailure(thrown))),
      this.backend
        .autostart()
        .then((autostart) => (this.autostart = autostart))
        .catch((thrown: unknown) => (this.autostartFailure = asFailure(thrown))),
    ]);
  }

  /** Writes what a row says; false where it was refused, and everything is as it was. */
  set(row: Row, changes: ConfigChange<SettingKey>[]): Promise<boolean> {
    return this.#write(row, async () => void (this.held = await this.backend.settingsSet(changes)));
  }

  start(wish: AutostartWish): Promise<boolean> {
    return this.#write('autostart', async () => void (this.autostart = await this.backend.autostartSet(wish)));
  }

  async #write(row: Row, write: () => Promise<void>): Promise<boolean> {
    this.refused.delete(row);
    this.saved.delete(row);
    this.saving.add(row);
    const before = this.#last;
    const done = before.then(write);
    this.#last = done.catch(() => {});
    try {
      await done;
      this.saved.add(row);
      setTimeout(() => this.saved.delete(row), SAVED);
      return true;
    } catch (thrown) {
      this.refused.set(row, asFailure(thrown));
      return false;
    } finally {
      this.saving.delete(row);
    }
  }
}
