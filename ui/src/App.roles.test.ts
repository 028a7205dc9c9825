// The worst day, and changes of master: what the page says, what it offers, and that nothing begins unasked.

import { screen, within } from '@testing-library/svelte';
import axe from 'axe-core';
import { describe, expect, it, vi } from 'vitest';

import type { MasterCause } from './lib/bindings/MasterCause';
import {
  ago,
  failure,
  FakeBackend,
  inStep,
  masterHealth,
  mirror,
  overview,
  repository,
  rolePlan,
  stands,
} from './testing/fake';
import { atOneMoment, open, user } from './testing/page';

atOneMoment();

const down = (cause: MasterCause = 'ill', over = {}) =>
  repository([mirror()], {
    standing: stands('master_down', 'failed', 'master down'),
    master_health: masterHealth(cause, over),
  });

describe('a master that is not well', () => {
  it('is told with the best standby, what would be lost, and a first button', async () => {
    await open(new FakeBackend(overview([down()])));
    const news = within(screen.getByRole('region', { name: 'you/orchestrator has been down for 12 minutes' }));
    expect(news.getByText('backup-account/orchestrator')).toBeVisible();
    expect(news.getByText(/nothing that Standin knows of/)).toBeVisible();
    expect(news.getByText(/so it is this repository, not all of the host/)).toBeVisible();
    const [first, second] = news.getAllByRole('button');
    // It may be back before anybody has decided.
    expect(first).toHaveTextContent('Wait, tell me when it is back');
    expect(second).toHaveTextContent('Make mirror-1 the master…');
    expect(screen.queryByText(/`/)).toBeNull();
  });

  it('asks for a promotion first once it has been down for a while', async () => {
    await open(new FakeBackend(overview([down('ill', { since_iso: ago(3700) })])));
    const news = within(screen.getByRole('region', { name: /has been down for 1 hour/ }));
    expect(news.getAllByRole('button')[0]).toHaveTextContent('Make mirror-1 the master…');
  });

  const table: [MasterCause, RegExp, string][] = [
    ['ill', /has been down for/, 'Wait, tell me when it is back'],
    ['silent', /has not answered for/, 'Wait, tell me when it is back'],
    ['damaged', /cannot be read/, 'Wait, tell me when it is back'],
    ['stale', /no sign of life/, 'Wait, tell me when it is back'],
    ['gone', /is gone/, 'Make mirror-1 the master…'],
    ['host_ill', /All of the host/, 'Check again'],
    ['no_network', /Nothing answers from here/, 'Check again'],
    ['token_missing', /There is no token/, 'Replace the token…'],
    ['token_refused', /was refused/, 'Replace the token…'],
    ['token_barred', /keeps the token/, 'Replace the token…'],
    ['limited', /limits the requests/, 'Check again'],
    ['not_proven', /cannot be told/, 'Replace the token…'],
    ['no_comparison', /nothing is there to compare with/, 'Check again'],
    ['replaced', /no longer the master/, 'Check again'],
    ['renamed', /was renamed/, 'It was renamed…'],
    ['unclear', /cannot be told/, 'Check again'],
  ];
  it.each(table)('has words and a first button of its own: %s', async (cause, title, first) => {
    await open(new FakeBackend(overview([down(cause)])));
    const news = within(screen.getByRole('region', { name: title }));
    expect(news.getAllByRole('button')[0]).toHaveTextContent(first);
    // Where the host as a whole is ill, a standby on it helps nobody.
    if (cause === 'host_ill') expect(news.queryByRole('button', { name: /the master/ })).toBeNull();
  });

  it('offers no standby that could not take over, and says why', async () => {
    const ill = mirror({ standing: stands('cannot_take_over', 'failed', 'cannot take over', 'its token was refused') });
    const report = repository([ill], { master_health: masterHealth('gone') });
    await open(new FakeBackend(overview([report])));
    const news = within(screen.getByRole('region', { name: 'you/orchestrator is gone' }));
    expect(news.getByText(/Nothing to switch to: .* \(its token was refused\)/)).toBeVisible();
    expect(news.queryByRole('button', { name: /the master/ })).toBeNull();
  });

  it('can be waited for, and is told to be back', async () => {
    const backend = new FakeBackend(overview([down()]));
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Wait, tell me when it is back' }));
    expect(screen.getByText('Waiting for it: you are told when it is back.')).toBeVisible();
    backend.answer = overview([repository([mirror()], { standing: inStep, master_health: masterHealth('well') })]);
    await vi.advanceTimersByTimeAsync(6000);
    expect(screen.getByText('you/orchestrator is back.')).toBeVisible();
    expect(screen.queryByRole('region', { name: /has been down/ })).toBeNull();
  });

  it('is not told at all while it is well', async () => {
    await open(new FakeBackend(overview([repository([mirror()], { master_health: masterHealth('well') })])));
    expect(screen.queryByRole('region', { name: /you\/orchestrator/ })).toBeNull();
  });
});

describe('a promotion', () => {
  async function sheet(backend: FakeBackend): Promise<ReturnType<typeof within>> {
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Make mirror-1 the master…' }));
    return within(await screen.findByRole('dialog', { name: 'Make backup-account/orchestrator the master' }));
  }

  it('shows what will happen, then its steps, then where to point clones', async () => {
    const backend = new FakeBackend(overview([down()]));
    const page = await sheet(backend);
    expect(await page.findByText('cron.yml')).toBeVisible();
    expect(page.getByText('Nothing that Standin knows of')).toBeVisible();
    expect(backend.calls.filter(([name]) => name === 'roleChange')).toEqual([]);
    await user.click(page.getByRole('button', { name: 'Promote' }));
    expect(backend.calls).toContainEqual([
      'roleChange',
      { repository: 'orchestrator', mirror: 'mirror-1', goal: 'promote', gone: false, yes: false },
    ]);
    backend.say({
      at_iso: ago(0),
      event: 'role_change_started',
      repository: 'orchestrator',
      headline: 'make it master',
      steps: 2,
    });
    const step = { event: 'role_step' as const, repository: 'orchestrator', of: 2, detail: '', error: null };
    backend.say({ ...step, at_iso: ago(0), number: 1, what: 'name it', state: 'started' });
    backend.say({ ...step, at_iso: ago(-1), number: 1, what: 'name it', state: 'done' });
    backend.say({ ...step, at_iso: ago(-1), number: 2, what: 'wake it', state: 'started' });
    const steps = within(await page.findByRole('list', { name: 'Steps' }));
    await vi.waitFor(() => expect(steps.getAllByRole('listitem')).toHaveLength(2));
    expect(steps.getAllByRole('listitem')[0]).toHaveTextContent('Step 1, done:name it');
    await user.click(page.getByRole('button', { name: 'Stop after this step' }));
    expect(backend.calls).toContainEqual(['cancel', 'job-1']);
    backend.endRole('done');
    expect(await page.findByText('The master has changed.')).toBeVisible();
    expect(page.getByText(/git remote set-url origin/)).toBeVisible();
  });

  it('that loses something wants a yes to each loss, and says the deed', async () => {
    const backend = new FakeBackend(overview([down()]));
    backend.rolePlanned = () => rolePlan({ missing_commits: 4, missing_secrets: ['API_KEY'] });
    const page = await sheet(backend);
    expect(page.queryByRole('button', { name: /^Promote/ })).toBeNull();
    await user.click(await page.findByRole('button', { name: 'Go on' }));
    const deed = page.getByRole('button', { name: 'Promote and lose 4 commits' });
    expect(deed).toBeDisabled();
    await user.click(page.getByRole('checkbox', { name: /4 commits of the default branch stay behind/ }));
    expect(deed).toBeDisabled();
    await user.click(page.getByRole('checkbox', { name: /do without API_KEY/ }));
    expect(deed).toBeEnabled();
    await user.click(page.getByRole('button', { name: 'Back' }));
    expect(page.queryByRole('checkbox')).toBeNull();
  });

  it('that is blocked says why and cannot begin', async () => {
    const backend = new FakeBackend(overview([down()]));
    backend.rolePlanned = () => rolePlan({ blockers: [failure({ message: 'the standby is archived' })] });
    const page = await sheet(backend);
    expect(await page.findByText('the standby is archived')).toBeVisible();
    expect(page.queryByRole('button', { name: /Promote|Go on/ })).toBeNull();
  });

  it('of a standby whose master nobody can judge wants the name of what is gone', async () => {
    const backend = new FakeBackend(overview([down()]));
    const action = {
      verb: 'say_gone' as const,
      mirror: 'mirror-1',
      label: 'Say that it is gone',
      command: 'standin promote mirror-1 --gone',
    };
    backend.rolePlanned = ({ gone }) => (gone ? rolePlan() : failure({ message: 'cannot be told from here', action }));
    const page = await sheet(backend);
    expect(await page.findByText('cannot be told from here')).toBeVisible();
    const say = page.getByRole('button', { name: 'It is gone, go on' });
    await user.type(page.getByRole('textbox', { name: 'Name of what is gone' }), 'orchestrator');
    expect(say).toBeDisabled();
    await user.clear(page.getByRole('textbox'));
    await user.type(page.getByRole('textbox'), 'you/orchestrator');
    await user.click(say);
    await user.click(await page.findByRole('button', { name: 'Promote' }));
    expect(backend.calls.at(-1)).toEqual(['roleChange', expect.objectContaining({ gone: true })]);
  });

  it('that stopped half-way can be gone on with or taken back, from the sheet', async () => {
    const backend = new FakeBackend(overview([down()]));
    const page = await sheet(backend);
    await user.click(await page.findByRole('button', { name: 'Promote' }));
    backend.endRole('open', failure({ message: 'the line broke' }));
    expect(await page.findByText(/It stopped half-way\. Both sides are safe/)).toBeVisible();
    expect(page.getByText('the line broke')).toBeVisible();
    await user.click(page.getByRole('button', { name: 'Take back' }));
    expect(backend.calls).toContainEqual(['roleEnd', 'orchestrator', 'mirror-1', 'rollback']);
    backend.endRole('rolled_back');
    expect(await page.findByText('It was taken back: everything is as before.')).toBeVisible();
  });

  it('answers no guard: what waits is shown, and can be seen and decided', async () => {
    const backend = new FakeBackend(overview([down()]));
    const page = await sheet(backend);
    await user.click(await page.findByRole('button', { name: 'Promote' }));
    expect(backend.calls).not.toContainEqual(['roleChange', expect.objectContaining({ yes: true })]);
    const action = { verb: 'decide' as const, mirror: 'mirror-1', label: 'Decide', command: 'standin plan' };
    backend.endRole('rolled_back', failure({ code: 'guard_held', message: 'the sync before it waits', action }));
    expect(await page.findByText('the sync before it waits')).toBeVisible();
    await user.click(page.getByRole('button', { name: 'Decide' }));
    expect(await screen.findByRole('dialog', { name: 'What a sync of mirror-1 would do' })).toBeVisible();
  });

  it('names the host of a repository that is elsewhere than on github.com', async () => {
    const away = mirror({ repo: 'github.example.com/backup/orchestrator' });
    const report = { ...down(), mirrors: [away] };
    const backend = new FakeBackend(overview([report]));
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Make mirror-1 the master…' }));
    const page = within(await screen.findByRole('dialog'));
    await user.click(await page.findByRole('button', { name: 'Promote' }));
    backend.endRole('done');
    expect(
      await page.findByText('git remote set-url origin https://github.example.com/backup/orchestrator.git'),
    ).toBeVisible();
  });

  it('goes on when its sheet is closed, and can be looked at again', async () => {
    const backend = new FakeBackend(overview([down()]));
    const page = await sheet(backend);
    await user.click(await page.findByRole('button', { name: 'Promote' }));
    await user.click(page.getAllByRole('button', { name: 'Close' }).at(-1)!);
    expect(screen.queryByRole('dialog')).toBeNull();
    await user.click(screen.getByRole('button', { name: 'Show the steps' }));
    expect(await screen.findByRole('dialog')).toBeVisible();
  });
});

describe('a standby that stands in', () => {
  const standIn = mirror({ role: 'TEMPORARY_MASTER', standing: stands('stands_in', 'waiting', 'stands in') });

  it('offers to hand back, first of all once the master is well', async () => {
    const backend = new FakeBackend(overview([repository([standIn], { master_health: masterHealth('well') })]));
    await open(backend);
    expect(screen.getByText(/is well again/)).toBeVisible();
    await user.click(screen.getByRole('button', { name: 'Hand back…' }));
    expect(backend.calls).toContainEqual(['rolePlan', expect.objectContaining({ goal: 'demote', mirror: 'mirror-1' })]);
  });

  it('shows no news of a worst day that is over', async () => {
    await open(new FakeBackend(overview([repository([standIn], { master_health: masterHealth('ill') })])));
    expect(screen.getByText(/is not well yet/)).toBeVisible();
    expect(screen.queryByText(/has been down/)).toBeNull();
  });
});

describe('the program', () => {
  it('says that it ends, over everything', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    await open(backend);
    backend.say({ at_iso: ago(0), event: 'schedule', news: 'ending', detail: '' });
    expect(await screen.findByRole('dialog', { name: 'Stopping at a safe point…' })).toBeVisible();
  });

  it('asks before it ends where the schedule ends with it', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    const container = await open(backend);
    const closing = { at_iso: ago(0), event: 'schedule', news: 'closing', detail: '' } as const;
    const title = 'Close Standin, and the schedule with it?';
    backend.say(closing);
    expect(await screen.findByRole('dialog', { name: title })).toHaveTextContent('standin service install');
    expect((await axe.run(container)).violations).toEqual([]);
    await user.click(screen.getByRole('button', { name: 'Keep it open' }));
    await vi.waitFor(() => expect(screen.queryByRole('dialog', { name: title })).toBeNull());
    backend.say(closing);
    await user.click(await screen.findByRole('button', { name: 'Close' }));
    expect(backend.calls.filter(([name]) => name === 'closeAnswer')).toEqual([
      ['closeAnswer', false],
      ['closeAnswer', true],
    ]);
  });

  it('shows the repository that was asked for in the tray', async () => {
    const backend = new FakeBackend(overview([repository([mirror()]), repository([mirror()], { repository: 'blog' })]));
    await open(backend);
    backend.answer = { ...backend.answer, wanted: 'blog' };
    window.dispatchEvent(new Event('focus'));
    expect(await screen.findByRole('heading', { level: 1, name: 'blog' })).toBeVisible();
  });
});
