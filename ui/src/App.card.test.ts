import { screen, within } from '@testing-library/svelte';
import { tick } from 'svelte';
import { describe, expect, it, vi } from 'vitest';

import {
  ago,
  failed,
  failure,
  FakeBackend,
  mirror,
  neverSynced,
  OID,
  overview,
  repository,
  stands,
  totals,
} from './testing/fake';
import { atOneMoment, beginning, card, ending, lines, open, row, user } from './testing/page';

atOneMoment();

const of = { repository: 'orchestrator', mirror: 'mirror-1', run: 'run-9' };
const FORCE = 'Syncs now even while the schedule is paused, and reads everything anew.';

describe('a row of the card', () => {
  it('that is well shows its figures, and its word to nobody who sees the icon', async () => {
    await open(new FakeBackend(overview([repository([mirror()])])));
    for (const aspect of ['Code', 'Secrets', 'Variables', 'Workflows']) {
      expect(within(row('mirror-1', aspect)).getByText('In step')).toHaveClass('visually-hidden');
    }
    expect(card('mirror-1').getAllByText('In step', { ignore: '.visually-hidden' })).toHaveLength(1);
  });

  it('that differs says its word', async () => {
    await open(new FakeBackend(overview([repository([neverSynced()])])));
    expect(within(row('mirror-1', 'Code')).getByText('Never synced')).not.toHaveClass('visually-hidden');
  });

  it('that failed keeps what was so before, and folds and unfolds why', async () => {
    const code = {
      status: 'failed' as const,
      last_sync_iso: ago(7200),
      last_try_iso: ago(5),
      last_commit: OID,
      behind: 3,
      error: '`github.com` answered 503',
      hint: 'Wait, then `standin sync`.',
    };
    const one = mirror({ status: 'failed', standing: failed, code });
    const backend = new FakeBackend(overview([repository([one])]));
    await open(backend);
    const found = row('mirror-1', 'Code');
    expect(found).toHaveTextContent('Last in step 2 hours ago at 093f768 · 3 commits behind then');
    expect(found).toHaveTextContent('just now');
    expect(within(found).getByText('standin sync', { selector: 'code' })).toBeVisible();
    expect(found).not.toHaveTextContent('`');

    const button = within(found).getByRole('button', { name: /^Code ?: ?Failed/ });
    expect(button).toHaveAttribute('aria-expanded', 'true');
    await user.click(button);
    expect(button).toHaveAttribute('aria-expanded', 'false');
    expect(found).not.toHaveTextContent('answered 503');
    expect(found).toHaveTextContent('Last in step 2 hours ago');

    // What was folded stays so while status is read anew.
    backend.answer = overview([repository([{ ...one, code: { ...code, last_try_iso: ago(-3) } }])]);
    await vi.advanceTimersByTimeAsync(6000);
    expect(row('mirror-1', 'Code')).not.toHaveTextContent('answered 503');
    expect(button).toHaveFocus();
  });

  it('is no button where it has nothing more to say', async () => {
    await open(new FakeBackend(overview([repository([mirror()])])));
    expect(within(row('mirror-1', 'Secrets')).queryByRole('button')).toBeNull();
  });

  it('says as of when nothing is behind, once that is old', async () => {
    const code = { ...mirror().code, last_sync_iso: ago(3 * 3600) };
    const standing = {
      ...stands('stale', 'waiting', 'not looked at', 'nobody has looked since'),
      since_iso: ago(10_800),
    };
    await open(new FakeBackend(overview([repository([mirror({ code, standing })])])));
    expect(row('mirror-1', 'Code')).toHaveTextContent(/0 commits behind as of (\w+ \d+, )?\d\d:03/);
    expect(card('mirror-1').getByText(/^Last looked at/)).toHaveTextContent('3 hours ago');
  });
});

describe('the button of a sync', () => {
  it('is the same element all the time, keeps the focus, and counts', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    await open(backend);
    const button = screen.getByRole('button', { name: 'Sync now, mirror-1' });
    button.focus();
    await user.keyboard('{Enter}');
    await vi.waitFor(() => expect(button).toHaveAttribute('aria-disabled', 'true'));
    expect(button).toHaveFocus();
    backend.say(...beginning());
    await tick();
    // A third of one of four aspects.
    expect(button).toHaveAccessibleName('Syncing… 8 %, mirror-1');
    expect(button).toHaveTextContent('Syncing… 8 %');
    await user.keyboard('{Enter}');
    expect(backend.calls.filter(([name]) => name === 'sync')).toHaveLength(1);

    backend.say(...ending());
    backend.endJob('job-1', ['mirror-1']);
    await tick();
    expect(button).toHaveAccessibleName('Synced, mirror-1');
    await vi.advanceTimersByTimeAsync(3100);
    expect(button).toHaveAccessibleName('Sync now, mirror-1');
    expect(button).toHaveFocus();
    expect(button).toBeInTheDocument();
  });

  it('never counts backwards when a try is made anew', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Sync now, mirror-1' }));
    const progress = { at_iso: ago(0), event: 'progress', ...of, aspect: 'code', phase: 'writing objects' } as const;
    backend.say(...beginning().slice(0, 3), { ...progress, done: 9, total: 9 });
    expect(await screen.findByRole('button', { name: 'Syncing… 25 %, mirror-1' })).toBeVisible();
    backend.say({ ...progress, done: 1, total: 9 });
    await tick();
    expect(screen.getByRole('button', { name: 'Syncing… 25 %, mirror-1' })).toBeVisible();
  });

  it('has a way to cancel beside it, by Escape too, and gets the focus when that goes', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    await open(backend);
    const button = screen.getByRole('button', { name: 'Sync now, mirror-1' });
    await user.click(button);
    await screen.findByRole('button', { name: 'Cancel the sync of mirror-1' });
    expect(button).toHaveFocus();
    await user.keyboard('{Escape}');
    expect(backend.calls.filter(([name]) => name === 'cancel')).toEqual([['cancel', 'job-1']]);
    screen.getByRole('button', { name: 'Cancel the sync of mirror-1' }).focus();
    backend.endJob('job-1', ['mirror-1']);
    await vi.waitFor(() => expect(screen.queryByRole('button', { name: 'Cancel the sync of mirror-1' })).toBeNull());
    expect(button).toHaveFocus();
  });

  it('cancels no sync of all mirrors by a stray Escape', async () => {
    const backend = new FakeBackend(overview([repository([mirror(), mirror({ id: 'mirror-2' })])]));
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Sync All Now' }));
    (await card('mirror-1').findByRole('button', { name: /^Syncing/ })).focus();
    await user.keyboard('{Escape}');
    expect(backend.calls.some(([name]) => name === 'cancel')).toBe(false);
  });

  it('has more ways in a menu, by keys alone: one forces, and says yes to nothing', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    await open(backend);
    const opener = screen.getByRole('button', { name: 'More ways to sync mirror-1' });
    opener.focus();
    await user.keyboard('{Enter}');
    const entry = await screen.findByRole('menuitem', {
      name: `Force sync ${FORCE} It never confirms what waits for you.`,
    });
    await vi.waitFor(() => expect(entry).toHaveFocus());
    await user.keyboard('{Escape}');
    expect(screen.queryByRole('menu')).toBeNull();
    expect(opener).toHaveFocus();
    await user.keyboard('{ArrowDown}');
    await vi.waitFor(() => expect(screen.getByRole('menuitem', { name: /^Force sync/ })).toHaveFocus());
    await user.keyboard('{Enter}');
    expect(backend.calls).toContainEqual([
      'sync',
      { repository: 'orchestrator', mirrors: ['mirror-1'], yes: false, force: true },
    ]);
    await vi.waitFor(() => expect(screen.getByRole('button', { name: /^Syncing/ })).toHaveFocus());
  });
});

describe('the output of a sync', () => {
  const region = () => screen.getByRole('region', { name: 'Output of mirror-1' });

  it('is one line until somebody wants more, which is remembered', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    await open(backend);
    backend.say(...beginning());
    await vi.waitFor(() => expect(region()).toHaveTextContent('Pushing 3/9'));
    expect(screen.queryByRole('log')).toBeNull();
    backend.say({
      at_iso: ago(0),
      event: 'aspect_finished',
      ...of,
      aspect: 'secrets',
      report: { status: 'ok', last_sync_iso: ago(0), detail: '5/5' },
    });
    await vi.waitFor(() => expect(region()).toHaveTextContent('Pushing 3/9 · Secrets 5/5'));
    await lines('mirror-1');
    backend.say(...beginning());
    expect(await screen.findByRole('log', { name: 'Lines of mirror-1' })).toBeVisible();
  });

  it('folds a while after all went well, with the focus kept, and stays after a failure', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    await open(backend);
    backend.say(...beginning());
    (await lines('mirror-1')).focus();
    backend.say(...ending());
    await vi.advanceTimersByTimeAsync(2500);
    expect(screen.getByRole('log')).toBeVisible();
    await vi.advanceTimersByTimeAsync(700);
    expect(screen.queryByRole('log')).toBeNull();
    expect(screen.getByRole('button', { name: 'Show output of mirror-1' })).toHaveFocus();

    backend.say(...beginning(), {
      at_iso: ago(-4),
      event: 'run_finished',
      ...of,
      status: 'failed',
      error: failure(),
      totals,
    });
    expect(await screen.findByRole('log')).toBeVisible();
    await vi.advanceTimersByTimeAsync(10_000);
    expect(screen.getByRole('log')).toHaveTextContent('could not be reached');
  });

  it('says when it tries again, in one line, without telling the fault twice', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    await open(backend);
    const again = (attempt: number, wait_seconds: number, message: string) =>
      ({
        at_iso: ago(0),
        event: 'run_retrying',
        ...of,
        attempt,
        of: 3,
        wait_seconds,
        error: failure({ message }),
      }) as const;
    backend.say(...beginning().slice(0, 2), again(2, 2, 'GitHub answered 503'));
    const log = await lines('mirror-1');
    expect(log).toHaveTextContent('Try 2 of 3 in 2 s: GitHub answered 503');
    backend.say(again(3, 6, 'GitHub answered 502'));
    await tick();
    expect(log).toHaveTextContent('Try 3 of 3 in 6 s: GitHub answered 502');
    expect(log).not.toHaveTextContent('Try 2 of 3');
    // What an aspect says is not said again, and is gone once that begins anew.
    const begun = { at_iso: ago(0), event: 'aspect_started', ...of, aspect: 'code' } as const;
    const report = { status: 'failed', last_sync_iso: null, error: 'GitHub answered 500', hint: '' } as const;
    backend.say(begun, { at_iso: ago(0), event: 'aspect_finished', ...of, aspect: 'code', report });
    backend.say(again(3, 6, 'GitHub answered 500'));
    await tick();
    expect(log.textContent?.match(/GitHub answered 500/g)).toHaveLength(1);
    expect(log).toHaveTextContent('Try 3 of 3 in 6 s');
    backend.say(begun);
    await tick();
    expect(log).not.toHaveTextContent('in 6 s');
  });

  it('tells tries of an aspect in its one line, and no notice twice', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    await open(backend);
    const notice = {
      at_iso: ago(0),
      event: 'notice',
      ...of,
      notice: { message: 'The token ends soon', hint: '' },
    } as const;
    const begun = { at_iso: ago(0), event: 'aspect_started', ...of, aspect: 'code' } as const;
    backend.say(...beginning().slice(0, 2), notice, begun, {
      at_iso: ago(0),
      event: 'aspect_finished',
      ...of,
      aspect: 'code',
      report: { status: 'failed', last_sync_iso: null, error: 'GitHub answered 503', hint: 'Wait.' },
    });
    const log = await lines('mirror-1');
    expect(log).toHaveTextContent('Code push: GitHub answered 503');
    backend.say(notice, begun);
    await tick();
    expect(log).toHaveTextContent('Code push, try 2: GitHub answered 503');
    expect(within(log).getAllByText(/GitHub answered 503/)).toHaveLength(1);
    expect(within(log).getAllByText('The token ends soon')).toHaveLength(1);
    backend.say({
      at_iso: ago(0),
      event: 'aspect_finished',
      ...of,
      aspect: 'code',
      report: { status: 'ok', last_sync_iso: ago(0), detail: OID.slice(0, 12) },
    });
    await tick();
    expect(log).not.toHaveTextContent('503');
  });

  it('is no news after a day, nor after a change of master', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    await open(backend);
    backend.say(...beginning(), ...ending());
    await vi.waitFor(() => expect(region()).toHaveTextContent('Done in 4.0 s'));
    vi.setSystemTime(Date.now() + 23 * 3_600_000);
    await vi.advanceTimersByTimeAsync(5100);
    expect(region()).toBeVisible();
    vi.setSystemTime(Date.now() + 3_600_000);
    await vi.advanceTimersByTimeAsync(5100);
    expect(screen.queryByRole('region', { name: 'Output of mirror-1' })).toBeNull();

    backend.say(...beginning(), ...ending());
    await vi.waitFor(() => expect(region()).toBeVisible());
    const headline = 'make owner/standby master instead of owner/name';
    backend.say({ at_iso: ago(0), event: 'role_change_started', repository: 'orchestrator', headline, steps: 7 });
    await vi.waitFor(() => expect(screen.queryByRole('region', { name: 'Output of mirror-1' })).toBeNull());
  });
});
