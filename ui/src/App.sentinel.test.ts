// The sentinel from the window: how it stands, its workflow on the master, its tokens on a standby.

import { screen, within } from '@testing-library/svelte';
import axe from 'axe-core';
import { describe, expect, it, vi } from 'vitest';

import { ago, failure, FakeBackend, masterHealth, mirror, overview, repository, stands } from './testing/fake';
import { sentinelPlace } from './testing/fake_setup';
import { atOneMoment, open, user } from './testing/page';

atOneMoment();

async function shown(backend = new FakeBackend(overview([repository([mirror()])]))) {
  const container = await open(backend);
  await user.click(screen.getByRole('button', { name: 'Sentinel…' }));
  const panel = await screen.findByRole('dialog', { name: 'The sentinel' });
  await within(panel).findByRole('list', { name: 'Where it is' });
  return { backend, container, panel };
}

describe('the sentinel', () => {
  it('says how it stands at each place, and what is missing', async () => {
    const { container, panel } = await shown();
    expect(panel).toHaveTextContent('you/orchestrator');
    expect(panel).toHaveTextContent('not set up yet');
    expect(panel).toHaveTextContent('STANDIN_TOKEN is not there');
    expect((await axe.run(container)).violations).toEqual([]);
  });

  it('is committed by a button, and looked at again', async () => {
    const { backend, panel } = await shown();
    await user.click(within(panel).getByRole('button', { name: 'Commit it' }));
    expect(backend.calls).toContainEqual(['sentinelInstall', 'orchestrator', false, false]);
    expect(await within(panel).findByText(/was committed to you\/orchestrator/)).toBeVisible();
    expect(await within(panel).findByText(/It is on you\/orchestrator/)).toBeVisible();
  });

  it('is asked for by a pull request where somebody wants that', async () => {
    const { backend, panel } = await shown();
    await user.click(within(panel).getByRole('checkbox', { name: /pull request/ }));
    await user.click(within(panel).getByRole('button', { name: 'Open the pull request' }));
    expect(backend.calls).toContainEqual(['sentinelInstall', 'orchestrator', true, false]);
    expect(await within(panel).findByText(/pull\/7/)).toBeVisible();
  });

  it('replaces a file that was changed by hand only with a yes to that', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    backend.sentinel.places = [
      sentinelPlace({ place: 'source', repo: 'you/orchestrator', is_master: true, file: 'edited', secrets: [] }),
    ];
    const { panel } = await shown(backend);
    const commit = within(panel).getByRole('button', { name: 'Commit it' });
    await user.click(commit);
    expect(backend.calls.some(([name]) => name === 'sentinelInstall')).toBe(false);
    await user.click(within(panel).getByRole('checkbox', { name: /Replace/ }));
    await user.click(commit);
    expect(backend.calls).toContainEqual(['sentinelInstall', 'orchestrator', false, true]);
  });

  it('says why nothing was written, and can be tried again', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    backend.sentinelInstall = () => Promise.reject(failure({ message: 'the token may not write workflow files' }));
    const { panel } = await shown(backend);
    await user.click(within(panel).getByRole('button', { name: 'Commit it' }));
    expect(await within(panel).findByRole('alert')).toHaveTextContent('may not write workflow files');
    expect(within(panel).getByRole('button', { name: 'Commit it' })).not.toHaveAttribute('aria-disabled');
  });

  it('hands a token on once, and shows it nowhere', async () => {
    const { backend, container, panel } = await shown();
    const field = within(panel).getByLabelText('Token of the standby’s account');
    await user.type(field, 'canary-7f3a');
    await user.click(within(panel).getByRole('button', { name: 'Store STANDIN_TOKEN' }));
    expect(backend.calls).toContainEqual(['sentinelTokens', 'orchestrator', 'mirror-1', { standin: 'canary-7f3a' }]);
    expect(field).toHaveValue('');
    expect(await within(panel).findByText(/was stored just now/)).toBeVisible();
    expect(container.innerHTML).not.toContain('canary-7f3a');
  });

  it('says when a token ends', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    const secrets = [{ name: 'STANDIN_TOKEN', updated_iso: ago(86_400), expires_iso: ago(-86_400 * 3 - 3600) }];
    backend.sentinel.places = [
      sentinelPlace({ file: 'current', health: 'ok', workflow: 'active', findings: [], secrets }),
    ];
    const { panel } = await shown(backend);
    expect(panel).toHaveTextContent(/its token ends in 3 days/);
  });

  it('is not offered on the worst day, nor where nothing is on GitHub', async () => {
    const standing = stands('master_down', 'failed', 'master down');
    const report = repository([mirror()], { standing, master_health: masterHealth('ill') });
    const backend = new FakeBackend(overview([report]));
    await open(backend);
    await vi.waitFor(() => expect(screen.getByRole('heading', { level: 1 })).toBeVisible());
    expect(screen.queryByRole('button', { name: 'Sentinel…' })).toBeNull();
  });
});
