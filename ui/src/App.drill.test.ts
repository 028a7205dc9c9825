// The rehearsal of a fail-over: looked at, played, stopped, and told again later.

import { screen, within } from '@testing-library/svelte';
import axe from 'axe-core';
import { describe, expect, it, vi } from 'vitest';

import type { DrillReport } from './lib/bindings/DrillReport';
import { ago, archive, failure, FakeBackend, masterHealth, mirror, overview, repository, stands } from './testing/fake';
import { drillReport } from './testing/fake_drill';
import { atOneMoment, open, user } from './testing/page';

atOneMoment();

const backendOf = (mirrors = [mirror(), archive()]) => new FakeBackend(overview([repository(mirrors)]));

async function panel(backend = backendOf()) {
  const container = await open(backend);
  await user.click(screen.getByRole('button', { name: 'Rehearse a fail-over…' }));
  const dialog = await screen.findByRole('dialog', { name: 'Rehearse a fail-over' });
  await vi.waitFor(() => expect(backend.calls).toContainEqual(['drills', 'orchestrator']));
  return { backend, container, dialog, page: within(dialog) };
}

/** A drill that ends when the test says so. */
function held(backend: FakeBackend) {
  const control = { pass: (_: DrillReport) => {}, fail: (_: unknown) => {} };
  backend.drill = (...values) => {
    backend.called('drill', ...values);
    return new Promise((resolve, reject) => Object.assign(control, { pass: resolve, fail: reject }));
  };
  return control;
}

const count = (backend: FakeBackend, name: string) => backend.calls.filter(([called]) => called === name).length;

describe('the way to a rehearsal', () => {
  it('is there where a standby on GitHub could take over, and nowhere else', async () => {
    await open(backendOf([archive()]));
    expect(screen.queryByRole('button', { name: 'Rehearse a fail-over…' })).toBeNull();
  });

  it('is not in the way on the day itself', async () => {
    const standing = stands('master_down', 'failed', 'master down');
    const report = repository([mirror()], { standing, master_health: masterHealth('ill') });
    await open(new FakeBackend(overview([report])));
    expect(screen.queryByRole('button', { name: 'Rehearse a fail-over…' })).toBeNull();
  });

  it('asks nobody and plays nothing by itself, and gives the focus back', async () => {
    const { backend, page } = await panel();
    expect(await page.findByText('Never rehearsed.')).toBeVisible();
    expect(count(backend, 'drillCheck') + count(backend, 'drill')).toBe(0);
    await user.click(page.getByRole('button', { name: 'Close' }));
    expect(screen.getByRole('button', { name: 'Rehearse a fail-over…' })).toHaveFocus();
  });
});

describe('whether it could take over now', () => {
  it('is told of each standby, with what is in the way and what never travels', async () => {
    const { backend, page } = await panel();
    const [standby] = backend.readiness.standbys;
    backend.readiness = {
      ...backend.readiness,
      ready: false,
      standbys: [{ ...standby!, ready: false, missing_commits: 3 }],
      findings: [
        { place: 'mirror-1', severity: 'failed', message: 'the token ended', hint: 'Set another one.' },
        { severity: 'warning', message: 'no sentinel watches', hint: 'Set one up.' },
      ],
    };
    await user.click(page.getByRole('button', { name: 'Look now' }));
    expect(await page.findByText('No, not everything is ready')).toBeVisible();
    const standbys = page.getByRole('list', { name: 'Standbys' });
    expect(standbys).toHaveTextContent(/backup-account\/orchestrator mirror-1 Not ready/);
    expect(standbys).toHaveTextContent('in step 2 minutes ago · 3 commits missing · would run there: cron.yml');
    expect(page.getByText('mirror-1: the token ended')).toBeVisible();
    expect(page.getByText('no sentinel watches')).toBeVisible();
    expect(page.getByText(/^Never travels/)).toHaveTextContent('environments, webhooks, deploy keys');
  });

  it('that cannot be told says why, and is asked again', async () => {
    const { backend, page } = await panel();
    const check = backend.drillCheck;
    backend.drillCheck = () => Promise.reject(failure({ message: 'github.com does not answer' }));
    await user.click(page.getByRole('button', { name: 'Look now' }));
    expect(await page.findByRole('alert')).toHaveTextContent('github.com does not answer');
    backend.drillCheck = check;
    await user.click(page.getByRole('button', { name: 'Look again' }));
    expect(await page.findByText('Yes, every standby could take over')).toBeVisible();
    expect(page.queryByRole('alert')).toBeNull();
  });
});

describe('a drill', () => {
  it('is played once, shows its phases with both times, and has the focus when it is over', async () => {
    const { backend, page } = await panel();
    const control = held(backend);
    expect(page.getByText(/Nothing real is touched/)).toBeVisible();
    const start = page.getByRole('button', { name: 'Start the drill' });
    await user.click(start);
    await user.click(start);
    expect(backend.calls.filter(([name]) => name === 'drill')).toEqual([['drill', 'orchestrator', null]]);
    expect(start).toHaveTextContent('Rehearsing…');
    const missing = [{ severity: 'warning' as const, message: 'API_KEY has no value here', hint: '' }];
    control.pass(drillReport({ missing }));
    const end = await page.findByRole('group', { name: 'How the drill ended' });
    await vi.waitFor(() => expect(end).toHaveFocus());
    expect(within(end).getByText('Passed')).toBeVisible();
    const phases = within(end).getByRole('list', { name: 'Phases of the drill' });
    expect(phases).toHaveTextContent(/The standby takes over 14\.6 s, 78 minutes on the day/);
    expect(within(end).getByText('API_KEY has no value here')).toBeVisible();
    expect(count(backend, 'drills')).toBe(2);
  });

  it('is stopped by a button, and says that nothing real was touched', async () => {
    const { backend, page } = await panel();
    const control = held(backend);
    await user.click(page.getByRole('button', { name: 'Start the drill' }));
    await user.click(page.getByRole('button', { name: 'Stop' }));
    expect(backend.calls).toContainEqual(['drillStop']);
    expect(page.getByRole('button', { name: 'Stopping…' })).toBeVisible();
    control.fail(failure({ code: 'cancelled', message: 'the drill was stopped' }));
    expect(await page.findByText('The drill was stopped. Nothing real was touched.')).toBeVisible();
    expect(page.queryByRole('button', { name: /Stop/ })).toBeNull();
    await vi.waitFor(() => expect(page.getByRole('group', { name: 'How the drill ended' })).toHaveFocus());
  });

  it('goes on when its panel is closed, and is told when it is opened again', async () => {
    const { backend, page } = await panel();
    const control = held(backend);
    await user.click(page.getByRole('button', { name: 'Start the drill' }));
    await user.click(page.getByRole('button', { name: 'Close' }));
    const again = screen.getByRole('button', { name: 'Rehearsing a fail-over…' });
    expect(count(backend, 'drillStop')).toBe(0);
    await user.click(again);
    expect(await screen.findByRole('button', { name: 'Stop' })).toBeVisible();
    control.pass(drillReport());
    expect(await screen.findByText(/took over and handed back in 34\.8 s/)).toBeVisible();
    expect(screen.getByText('The drill of orchestrator passed')).toBeInTheDocument();
  });

  it('that did not pass says why, and one that could not begin too', async () => {
    const { backend, page } = await panel();
    const error = failure({ message: 'the hand-back lost a commit', hint: 'Report it.' });
    backend.drill = async () => drillReport({ passed: false, error });
    await user.click(page.getByRole('button', { name: 'Start the drill' }));
    expect(await page.findByText('the hand-back lost a commit')).toBeVisible();
    expect(page.getByText('Not passed')).toBeVisible();
    backend.drill = () => Promise.reject(failure({ code: 'not_found', message: 'there is no command line here' }));
    await user.click(page.getByRole('button', { name: 'Start the drill' }));
    expect(await page.findByText('there is no command line here')).toBeVisible();
    expect(page.queryByText('Not passed')).toBeNull();
  });

  it('is played with the standby that is chosen, where there are several', async () => {
    const second = mirror({ id: 'mirror-3', repo: 'third/orchestrator' });
    const { backend, page } = await panel(backendOf([mirror(), second]));
    await user.selectOptions(page.getByRole('combobox', { name: 'Which standby' }), 'third/orchestrator');
    await user.click(page.getByRole('button', { name: 'Start the drill' }));
    expect(backend.calls).toContainEqual(['drill', 'orchestrator', 'mirror-3']);
  });
});

describe('the drills that were played', () => {
  it('are listed with the newest first, which stands in the head too, and unfold', async () => {
    const backend = backendOf();
    backend.played = [
      drillReport({ at_iso: ago(86_400), passed: false, error: failure({ message: 'no code on this machine' }) }),
      drillReport({ at_iso: ago(30 * 3600) }),
    ];
    const { page } = await panel(backend);
    expect(await page.findByText('mirror-1 was rehearsed 1 day ago: not passed.')).toBeVisible();
    const rows = within(page.getByRole('list', { name: 'Drills, the newest first' })).getAllByRole('group');
    expect(rows).toHaveLength(2);
    expect(rows[0]).toHaveTextContent(/Not passed mirror-1, 1 day ago, 34\.8 s/);
    await user.click(within(rows[0]!).getByText('Not passed'));
    expect(within(rows[0]!).getByText('no code on this machine')).toBeVisible();
  });

  it('that cannot be read leave the rest, and are asked for again', async () => {
    const backend = backendOf();
    const read = backend.drills;
    backend.drills = (repository) => {
      backend.called('drills', repository);
      return Promise.reject(failure({ message: 'state.db is locked' }));
    };
    const { page } = await panel(backend);
    expect(await page.findByRole('alert')).toHaveTextContent('state.db is locked');
    expect(page.getByRole('button', { name: 'Start the drill' })).toBeEnabled();
    backend.drills = read;
    await user.click(page.getByRole('button', { name: 'Try again' }));
    expect(await page.findByText('None yet.')).toBeVisible();
  });

  it('have no finding of accessibility', async () => {
    const backend = backendOf();
    backend.played = [drillReport({ at_iso: ago(86_400) })];
    const { container, page } = await panel(backend);
    await user.click(page.getByRole('button', { name: 'Look now' }));
    await user.click(page.getByRole('button', { name: 'Start the drill' }));
    await page.findByText('Yes, every standby could take over');
    vi.useRealTimers();
    const found = await axe.run(container, { rules: { 'color-contrast': { enabled: false } } });
    expect(found.violations.map((violation) => violation.id)).toEqual([]);
  });
});

describe('a drill that an earlier page began', () => {
  it('can be stopped from this one, and is over when it is', async () => {
    const backend = new FakeBackend({ ...overview([repository([mirror(), archive()])]), drill: 'orchestrator' });
    await open(backend);
    await user.click(screen.getByRole('button', { name: /^Rehears/ }));
    const page = within(await screen.findByRole('dialog', { name: 'Rehearse a fail-over' }));
    await user.click(await page.findByRole('button', { name: 'Stop' }));
    expect(count(backend, 'drillStop')).toBe(1);
    expect(count(backend, 'drill')).toBe(0);
    backend.answer = { ...backend.answer, drill: null };
    await vi.advanceTimersByTimeAsync(5000);
    expect(await page.findByRole('button', { name: 'Start the drill' })).not.toHaveAttribute('aria-disabled');
  });
});
