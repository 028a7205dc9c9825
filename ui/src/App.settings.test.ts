// The settings: saved at once, refused with the reason, and nothing lost but what could not be used.

import { screen, within } from '@testing-library/svelte';
import axe from 'axe-core';
import { describe, expect, it, vi } from 'vitest';

import type { NotifyTrouble } from './lib/bindings/NotifyTrouble';
import type { Offer } from './lib/bindings/Offer';
import type { Updates } from './lib/bindings/Updates';
import { ago, archive, failure, FakeBackend, mirror, NOW, overview, repository } from './testing/fake';
import { atOneMoment, open, user } from './testing/page';

atOneMoment();

const root = document.documentElement;

const trouble = (over: Partial<NotifyTrouble> = {}): NotifyTrouble => ({
  name: 'phone',
  at_iso: ago(300),
  error: 'ntfy.sh answered 403',
  hint: 'Give it a token that may write there.',
  waiting: 2,
  ...over,
});

async function settings(backend = new FakeBackend(overview([repository([mirror(), archive()])]))) {
  const container = await open(backend);
  await user.click(screen.getByRole('button', { name: 'Settings' }));
  await screen.findByRole('region', { name: 'Limits' });
  return { backend, container };
}

const group = (name: string) => within(screen.getByRole('region', { name }));
const changes = (backend: FakeBackend) =>
  backend.calls.filter(([name]) => name === 'settingsSet').map(([, set]) => set);

describe('a setting that is typed', () => {
  it('is taken with Enter or on leaving, said to be saved, and not written twice', async () => {
    const { backend } = await settings();
    const field = group('Schedule').getByRole('textbox', { name: 'Time between two syncs' });
    expect(field).toHaveValue('1h');
    await user.clear(field);
    await user.type(field, '1h30m{Enter}');
    await user.tab();
    expect(changes(backend)).toEqual([[{ key: 'schedule_interval', value: '1h30m' }]]);
    expect(field).toHaveValue('1h30m');
    expect(group('Schedule').getByText('Saved')).toBeVisible();
    await vi.advanceTimersByTimeAsync(3100);
    expect(group('Schedule').queryByText('Saved')).toBeNull();
  });

  it('that is emptied is taken out of the file, and a number is sent as one', async () => {
    const { backend } = await settings();
    backend.held.look_at_source = '1m';
    await user.click(screen.getByRole('button', { name: 'Set up a mirror…' }));
    await user.click(screen.getByRole('button', { name: 'Settings' }));
    const look = await screen.findByRole('textbox', { name: 'Look at the source' });
    await vi.waitFor(() => expect(look).toHaveValue('1m'));
    await user.clear(look);
    const parallel = group('Limits').getByRole('textbox', { name: 'Mirrors at once' });
    await user.clear(parallel);
    await user.type(parallel, '8');
    await user.tab();
    expect(changes(backend)).toEqual([[{ key: 'look_at_source', value: null }], [{ key: 'parallel', value: 8 }]]);
  });

  it('that is refused is as it was before, with the reason beside it', async () => {
    const { backend } = await settings();
    backend.refuseSetting = failure({
      code: 'configuration',
      message: '`soon` is no length of time',
      hint: 'Write 30m.',
    });
    const field = group('Limits').getByRole('textbox', { name: 'Time for one sync' });
    await user.clear(field);
    await user.type(field, 'soon{Enter}');
    const alert = group('Limits').getByRole('alert');
    expect(alert).toHaveTextContent('soon is no length of time');
    expect(alert).toHaveTextContent('Write 30m.');
    expect(field).toHaveValue('30m');
    expect(field).toBeInvalid();
    expect(field).toHaveFocus();
    backend.refuseSetting = null;
    await user.clear(field);
    await user.type(field, '45m{Enter}');
    expect(group('Limits').queryByRole('alert')).toBeNull();
    expect(field).toHaveValue('45m');
  });

  it('goes back with Escape', async () => {
    const { backend } = await settings();
    const field = group('History').getByRole('textbox', { name: 'Keep syncs' });
    await user.type(field, '9{Escape}');
    expect(field).toHaveValue('365d');
    await user.tab();
    expect(changes(backend)).toEqual([]);
  });
});

describe('the schedule', () => {
  it('is switched off at once, and stays on where the environment says so', async () => {
    const { backend } = await settings();
    const box = screen.getByRole('checkbox', { name: 'Sync by itself' });
    backend.refuseSetting = failure({ code: 'usage', message: 'the environment of this program says otherwise' });
    await user.click(box);
    expect(box).toBeChecked();
    expect(group('Schedule').getByRole('alert')).toHaveTextContent('the environment of this program says otherwise');
    backend.refuseSetting = null;
    await user.click(box);
    expect(box).not.toBeChecked();
    expect(changes(backend).at(-1)).toEqual([{ key: 'schedule_enabled', value: false }]);
  });

  it('is paused for an hour, until the morning or until resumed, and goes on by one button', async () => {
    const { backend } = await settings();
    const pause = { since_iso: ago(0), until_iso: ago(-3600), actor: 'you@desk (desktop)' };
    backend.schedulePause = async (minutes) => {
      backend.called('schedulePause', minutes);
      backend.answer = { ...backend.answer, pause };
      return pause;
    };
    backend.scheduleResume = async () => {
      backend.answer = { ...backend.answer, pause: null };
      return true;
    };
    await user.click(screen.getByRole('button', { name: 'For 1 hour' }));
    const resume = await screen.findByRole('button', { name: 'Resume now' });
    await vi.waitFor(() => expect(resume).toHaveFocus());
    expect(screen.getByText(/^Paused until \d\d:\d\d$/)).toBeVisible();
    await user.click(resume);
    await user.click(await screen.findByRole('button', { name: 'Until tomorrow, 08:00' }));
    await user.click(await screen.findByRole('button', { name: 'Resume now' }));
    await user.click(await screen.findByRole('button', { name: 'Until resumed' }));
    const asked = backend.calls.filter(([name]) => name === 'schedulePause').map(([, minutes]) => minutes);
    const morning = new Date(NOW + (asked[1] as number) * 60_000);
    expect(asked).toEqual([60, expect.any(Number), null]);
    expect([morning.getHours(), morning.getDate()]).toEqual([8, new Date(NOW).getDate() + 1]);
  });

  it('that cannot be paused says why', async () => {
    const { backend } = await settings();
    backend.schedulePause = () => Promise.reject(failure({ code: 'storage', message: 'the database is locked' }));
    await user.click(screen.getByRole('button', { name: 'Until resumed' }));
    expect(group('Schedule').getByRole('alert')).toHaveTextContent('the database is locked');
  });
});

describe('quiet hours', () => {
  it('are written with both ends, or taken out with both, and never by half', async () => {
    const { backend } = await settings();
    const from = screen.getByRole('textbox', { name: 'From' });
    const to = screen.getByRole('textbox', { name: 'to' });
    await user.type(from, '22:00{Tab}');
    expect(screen.getByText('Both ends are needed.')).toBeVisible();
    expect(changes(backend)).toEqual([]);
    await user.type(to, '07:00{Enter}');
    expect(changes(backend)).toEqual([
      [
        { key: 'quiet_from', value: '22:00' },
        { key: 'quiet_to', value: '07:00' },
      ],
    ]);
    expect(screen.queryByText('Both ends are needed.')).toBeNull();
    await user.clear(from);
    await user.clear(to);
    await user.tab();
    expect(changes(backend).at(-1)).toEqual([
      { key: 'quiet_from', value: null },
      { key: 'quiet_to', value: null },
    ]);
  });
});

describe('the start at login', () => {
  it('is chosen among three, and what was refused is not marked', async () => {
    const { backend } = await settings();
    const choice = within(screen.getByRole('radiogroup', { name: 'Start at login' }));
    expect(choice.getByRole('radio', { name: 'No' })).toBeChecked();
    await user.click(choice.getByRole('radio', { name: 'Yes, without the window' }));
    expect(backend.calls).toContainEqual(['autostartSet', 'hidden']);
    expect(group('General').getByText('Saved')).toBeVisible();
    backend.autostartSet = () => Promise.reject(failure({ code: 'storage', message: 'the entry cannot be written' }));
    await user.click(choice.getByRole('radio', { name: 'No' }));
    expect(group('General').getByRole('alert')).toHaveTextContent('the entry cannot be written');
    expect(choice.getByRole('radio', { name: 'Yes, without the window' })).toBeChecked();
  });

  it('is not offered where the system cannot do it', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    backend.started = { ...backend.started, possible: false };
    await settings(backend);
    expect(screen.getByText('This system offers no way to do it.')).toBeVisible();
    expect(screen.getByRole('radio', { name: 'Yes, with the window' })).toBeDisabled();
  });
});

describe('the looks of the window', () => {
  it('change at once, and need no word of the program', async () => {
    const { backend } = await settings();
    const before = backend.calls.length;
    await user.click(screen.getByRole('radio', { name: 'Dark' }));
    expect(root.dataset['theme']).toBe('dark');
    await user.click(screen.getByRole('radio', { name: 'As the system' }));
    expect(root.dataset['theme']).toBeUndefined();
    const size = screen.getByRole('combobox', { name: 'Text size' });
    await user.selectOptions(size, '150');
    expect(root.style.fontSize).toBe('150%');
    await user.keyboard('{Control>}0{/Control}');
    expect(size).toHaveValue('100');
    expect(backend.calls).toHaveLength(before);
  });
});

describe('the places that word is sent to', () => {
  it('are told with what they hear, where their token is, and why word does not arrive', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    backend.held.notify = {
      places: [
        {
          name: 'phone',
          type: 'ntfy',
          to: 'ntfy.sh',
          on: ['master_down', 'promoted'],
          token: { from: 'missing', variable: 'NTFY_TOKEN' },
          trouble: trouble(),
        },
      ],
      quiet_hours: null,
      ping: 'hc-ping.com',
      ping_trouble: null,
    };
    await settings(backend);
    const notify = group('Notifications');
    expect(notify.getByText('ntfy, ntfy.sh. Told of: master down, a standby became master.')).toBeVisible();
    expect(notify.getByText('No token: NTFY_TOKEN is not set')).toBeVisible();
    expect(notify.getByText('5 minutes ago: ntfy.sh answered 403')).toBeVisible();
    expect(notify.getByText(/2 messages wait to be sent again/)).toBeVisible();
    expect(notify.getByText(/^hc-ping.com is asked/)).toBeVisible();
    expect(notify.getByText('/home/you/.config/standin/standin.toml')).toBeVisible();
    const read = vi.spyOn(backend, 'settings');
    await user.click(notify.getByRole('button', { name: 'Send a test to phone' }));
    expect(backend.calls).toContainEqual(['notifyTest', 'phone']);
    expect(await notify.findByText('The test was sent')).toBeVisible();
    expect(read).toHaveBeenCalledTimes(1);
    backend.notifyTest = () => Promise.reject(failure({ message: 'ntfy.sh does not answer' }));
    await user.click(notify.getByRole('button', { name: 'Send a test to phone' }));
    expect(await notify.findByRole('alert')).toHaveTextContent('ntfy.sh does not answer');
  });
});

describe('what is shown on this desktop', () => {
  it('is switched by a box for each kind, saved at once, and none is lost that was switched meanwhile', async () => {
    const { backend } = await settings();
    const set = backend.settingsSet;
    let answer = () => {};
    backend.settingsSet = async (changes) => {
      await new Promise<void>((resolve) => (answer = resolve));
      return set(changes);
    };
    const shown = within(screen.getByRole('group', { name: 'Shown on this desktop' }));
    expect(shown.getByRole('checkbox', { name: 'Something is well again' })).not.toBeChecked();
    await user.click(shown.getByRole('checkbox', { name: 'Something is well again' }));
    await user.click(shown.getByRole('checkbox', { name: 'A master is back' }));
    answer();
    await vi.waitFor(() => expect(changes(backend)).toHaveLength(1));
    answer();
    await vi.waitFor(() => expect(changes(backend)).toHaveLength(2));
    const [{ value }] = changes(backend).at(-1) as [{ value: string[] }];
    expect(value).toContain('mended');
    expect(value).not.toContain('master_back');
    expect(value).toHaveLength(8);
    expect(shown.getByRole('checkbox', { name: 'A master is back' })).not.toBeChecked();
    expect(await group('Notifications').findByText('Saved')).toBeVisible();
  });

  it('stays as it was where it is refused', async () => {
    const { backend } = await settings();
    backend.refuseSetting = failure({ message: 'the file cannot be written' });
    const box = screen.getByRole('checkbox', { name: 'A master is down' });
    await user.click(box);
    expect(group('Notifications').getByRole('alert')).toHaveTextContent('the file cannot be written');
    expect(box).toBeChecked();
  });

  it('is tried by a button, with the answer or the reason beside it', async () => {
    const { backend } = await settings();
    await user.click(screen.getByRole('button', { name: 'Show one' }));
    expect(backend.calls).toContainEqual(['notifyTest', null]);
    expect(await screen.findByText('It was given to the desktop')).toBeVisible();
    backend.notifyTest = () => Promise.reject(failure({ message: 'nobody shows notifications here' }));
    await user.click(screen.getByRole('button', { name: 'Show one' }));
    expect(group('Notifications').getByRole('alert')).toHaveTextContent('nobody shows notifications here');
    expect(screen.queryByText('It was given to the desktop')).toBeNull();
  });
});

describe('newer versions of the program', () => {
  const offer: Offer = {
    version: '0.2.0',
    notes: 'https://standin.example.com/0.2.0',
    file: { url: 'https://standin.example.com/f', size: 18_200_000, sha256: '00' },
  };
  const own: Updates = {
    version: '0.1.0',
    channel: 'stable',
    check: true,
    owner: { owner: 'itself', file: '/home/you/Standin.AppImage' },
    advice: null,
  };

  function ownBackend(newer: Offer | null = null): FakeBackend {
    const backend = new FakeBackend(overview([repository([mirror()])], { newer }));
    const told = { ...own };
    backend.updates = async () => structuredClone(told);
    const set = backend.settingsSet;
    backend.settingsSet = async (changed) => {
      const held = await set(changed);
      for (const { key, value } of changed) Object.assign(told, { [key.replace('update_', '')]: value });
      return held;
    };
    return backend;
  }

  it('come by the package manager, and nothing is offered that has no effect then', async () => {
    await settings();
    const about = group('About');
    expect(await about.findByText('apt looks after this program and brings its newer versions.')).toBeVisible();
    expect(about.getByText('sudo apt install --only-upgrade standin')).toBeVisible();
    expect(about.getByRole('button', { name: 'Copy command' })).toBeVisible();
    expect(about.queryByRole('button', { name: 'Look for a newer version' })).toBeNull();
    expect(about.queryByRole('checkbox')).toBeNull();
  });

  it('are followed as it is chosen', async () => {
    const { backend } = await settings(ownBackend());
    const about = group('About');
    await user.click(await about.findByRole('radio', { name: 'Beta' }));
    await user.click(about.getByRole('checkbox', { name: 'Look once a day' }));
    expect(changes(backend)).toEqual([
      [{ key: 'update_channel', value: 'beta' }],
      [{ key: 'update_check', value: false }],
    ]);
    await vi.waitFor(() => expect(about.getByRole('checkbox', { name: 'Look once a day' })).not.toBeChecked());
    expect(about.getByRole('radio', { name: 'Beta' })).toBeChecked();
  });

  it('are looked for by a button, which says that there is none', async () => {
    const { backend } = await settings(ownBackend());
    await user.click(await screen.findByRole('button', { name: 'Look for a newer version' }));
    expect(backend.calls).toContainEqual(['updateLook']);
    expect(await screen.findByText('0.1.0 is the newest.')).toBeVisible();
  });

  it('are shown before they are taken, and the answer says what is to do then', async () => {
    const { backend } = await settings(ownBackend());
    backend.offer = offer;
    await user.click(await screen.findByRole('button', { name: 'Look for a newer version' }));
    const shown = await screen.findByRole('group', { name: 'Standin 0.2.0 is there' });
    await vi.waitFor(() => expect(shown).toHaveFocus());
    expect(within(shown).getByText('https://standin.example.com/0.2.0')).toBeVisible();
    const take = backend.updateTake;
    backend.updateTake = () => Promise.reject(failure({ message: 'the download was cut' }));
    await user.click(within(shown).getByRole('button', { name: 'Take 0.2.0' }));
    expect(await within(shown).findByRole('alert')).toHaveTextContent('the download was cut');
    let brought = () => {};
    backend.updateTake = async (version) => {
      await new Promise<void>((resolve) => (brought = resolve));
      return take(version);
    };
    await user.click(within(shown).getByRole('button', { name: 'Take 0.2.0' }));
    expect(within(shown).getByText(/^Bringing 18\.2 MB/)).toBeVisible();
    brought();
    const answer = await screen.findByText('0.2.0 is in place. It runs from the next start on.');
    await vi.waitFor(() => expect(answer).toHaveFocus());
    expect(backend.calls).toContainEqual(['updateTake', '0.2.0']);
    expect(screen.queryByRole('button', { name: 'Take 0.2.0' })).toBeNull();
  });

  it('that were found by themselves are told above the page, and lead to the offer', async () => {
    await open(ownBackend(offer));
    expect(screen.getByText('Standin 0.2.0 is there')).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'What to do' }));
    const shown = await screen.findByRole('group', { name: 'Standin 0.2.0 is there' });
    expect(shown).toHaveFocus();
    expect(screen.queryByRole('button', { name: 'What to do' })).toBeNull();
    expect(await within(shown).findByRole('button', { name: 'Take 0.2.0' })).toBeVisible();
  });

  it('cannot be asked about where that fails, and can be asked again', async () => {
    const backend = ownBackend();
    const read = backend.updates;
    backend.updates = () => Promise.reject(failure({ message: 'the configuration has a mistake' }));
    await settings(backend);
    expect(await group('About').findByRole('alert')).toHaveTextContent('the configuration has a mistake');
    backend.updates = read;
    await user.click(group('About').getByRole('button', { name: 'Try again' }));
    expect(await screen.findByRole('button', { name: 'Look for a newer version' })).toBeVisible();
  });
});

describe('the tokens', () => {
  it('of all repositories are checked, with the days that are left, and set on the page of theirs', async () => {
    const backend = new FakeBackend(overview([repository([mirror(), archive()])]));
    const check = backend.tokenCheck;
    backend.tokenCheck = async (repository, mirror) => {
      backend.called('tokenCheck', repository, mirror);
      if (mirror) throw failure({ code: 'keychain_locked', message: 'the keychain is locked', hint: 'Unlock it.' });
      return { ...(await check(repository, mirror))!, origin: 'environment', days_left: 9 };
    };
    await settings(backend);
    const tokens = group('Tokens and keychain');
    expect(await tokens.findByText('9 days left')).toBeVisible();
    expect(tokens.getByText('the keychain is locked')).toBeVisible();
    expect(tokens.getByText('Locked')).toBeVisible();
    // An archive over ssh has none.
    expect(backend.calls.filter(([name]) => name === 'tokenCheck')).toHaveLength(2);
    await user.click(tokens.getByRole('button', { name: 'Check all' }));
    expect(backend.calls.filter(([name]) => name === 'tokenCheck')).toHaveLength(4);
    await user.click(tokens.getByRole('button', { name: 'Set or remove, orchestrator: mirror-1' }));
    expect(screen.getByRole('tab', { name: 'Tokens' })).toHaveAttribute('aria-selected', 'true');
  });

  it('of very many are not asked for unless somebody wants it', async () => {
    const reports = Array.from({ length: 9 }, (_, at) => repository([mirror()], { repository: `site-${at}` }));
    const backend = new FakeBackend(overview(reports));
    const check = vi.spyOn(backend, 'tokenCheck');
    await settings(backend);
    expect(check).not.toHaveBeenCalled();
    await user.click(screen.getByRole('button', { name: 'Check all' }));
    expect(check).toHaveBeenCalledTimes(18);
  });
});

describe('the settings page', () => {
  it('says why nothing can be read, and tries again', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    const read = backend.settings;
    backend.settings = () => Promise.reject(failure({ code: 'storage', message: 'state.db cannot be read' }));
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Settings' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('state.db cannot be read');
    // What needs no file works all the same.
    expect(screen.getByRole('radio', { name: 'Dark' })).toBeEnabled();
    backend.settings = read;
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByRole('region', { name: 'Data' })).toHaveTextContent('48.3 MB');
    expect(screen.queryByRole('alert')).toBeNull();
  });

  it('has no finding of accessibility', async () => {
    const { container } = await settings();
    await screen.findAllByText('Works');
    vi.useRealTimers();
    const found = await axe.run(container, { rules: { 'color-contrast': { enabled: false } } });
    expect(found.violations.map((violation) => violation.id)).toEqual([]);
  });
});
