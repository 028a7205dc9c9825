// What a backend says about settings, for tests.

import type { Backend } from '../lib/backend';
import type { Autostart } from '../lib/bindings/Autostart';
import type { Error as Failure } from '../lib/bindings/Error';
import type { Settings } from '../lib/bindings/Settings';
import { ago } from './fake_values';
import { FakeVault } from './fake_vault';

export class FakeSettings extends FakeVault {
  held: Settings = {
    file: '/home/you/.config/standin/standin.toml',
    schedule_enabled: true,
    schedule_interval: '1h',
    look_at_source: null,
    parallel: 32,
    run_limit: '30m',
    request_limit: '1m',
    keep_runs: '365d',
    keep_unchanged_runs: '30d',
    desktop_notify: [
      'master_down',
      'master_back',
      'promoted',
      'waits',
      'failed',
      'stale',
      'token_ends',
      'sentinel_asleep',
    ],
    notify: { places: [], quiet_hours: null, ping: null, ping_trouble: null },
    state_dir: '/home/you/.local/share/standin',
    state_bytes: 48_300_000,
  };
  started: Autostart = {
    possible: true,
    enabled: false,
    hidden: false,
    file: '/home/you/.config/autostart/app.standin.desktop.desktop',
    other: null,
  };
  /** Why no setting is taken, where none is. */
  refuseSetting: Failure | null = null;
  settings: Backend['settings'] = async () => structuredClone(this.held);
  settingsSet: Backend['settingsSet'] = async (changes) => {
    this.called('settingsSet', changes);
    if (this.refuseSetting) throw this.refuseSetting;
    const quiet = changes.find(({ key }) => key === 'quiet_from')?.value;
    if (quiet !== undefined) {
      const to = String(changes.find(({ key }) => key === 'quiet_to')?.value);
      this.held.notify.quiet_hours = quiet === null ? null : { from: String(quiet), to, time_zone: null };
    }
    for (const { key, value } of changes) {
      if (key !== 'quiet_from' && key !== 'quiet_to') Object.assign(this.held, { [key]: value });
    }
    return structuredClone(this.held);
  };
  autostart: Backend['autostart'] = async () => structuredClone(this.started);
  autostartSet: Backend['autostartSet'] = async (wish) => {
    this.called('autostartSet', wish);
    this.started = { ...this.started, enabled: wish !== 'off', hidden: wish === 'hidden' };
    return structuredClone(this.started);
  };
  schedulePause: Backend['schedulePause'] = async (minutes) => {
    this.called('schedulePause', minutes);
    return {
      since_iso: ago(0),
      until_iso: minutes === null ? null : ago(-60 * minutes),
      actor: 'you@desk (desktop)',
    };
  };
  scheduleResume: Backend['scheduleResume'] = async () => {
    this.called('scheduleResume');
    return true;
  };
  closeAnswer: Backend['closeAnswer'] = async (yes) => this.called('closeAnswer', yes);
}
