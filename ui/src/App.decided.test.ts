// What is left to do once something was decided, the other ways to sync, and where a change of master is open.

import { fireEvent, screen, within } from '@testing-library/svelte';
import { describe, expect, it, vi } from 'vitest';

import { ago, ask, FakeBackend, mirror, overview, plan, repository, section, stands, waits } from './testing/fake';
import { atOneMoment, beginning, card, open, user } from './testing/page';
import { several } from './testing/several';

atOneMoment();

const question = ask({
  id: 'refs/heads/main',
  topic: 'diverged',
  words: 'Branch main is another on the mirror.',
  choices: [
    { choice: 'take', label: 'Take', words: 'Bring it to the source.' },
    { choice: 'leave', label: 'Leave', words: 'Change nothing there.' },
  ],
});

function waiting(asks = [question]): FakeBackend {
  const backend = new FakeBackend(overview([repository([mirror({ status: 'blocked', standing: waits })])]));
  backend.plans = [plan({ sections: [section('code', { asks })] })];
  backend.resolve = async () => {
    backend.plans = [
      plan({ sections: [section('code', { asks: [{ ...question, decided: 'take' }, ...asks.slice(1)] })] }),
    ];
    return 'Decided; the next sync does it.';
  };
  return backend;
}

async function decide(): Promise<void> {
  await user.click(screen.getByRole('button', { name: 'Preview a sync of mirror-1' }));
  const panel = within(await screen.findByRole('dialog', { name: /What a sync of mirror-1/ }));
  const [first] = await panel.findAllByRole('radio', { name: /Bring home/ });
  await user.click(first!);
  await user.click(panel.getAllByRole('button', { name: /^Decide about/ })[0]!);
  await panel.findByText('Decided; the next sync does it.');
  await user.click(panel.getByText('Close'));
}

describe('a mirror whose every question was answered', () => {
  it('says that a sync is to carry it out, until one has begun', async () => {
    const backend = waiting();
    await open(backend);
    await decide();
    expect(card('mirror-1').getByText('Decided, sync to carry out')).toBeVisible();
    await user.click(card('mirror-1').getByRole('button', { name: 'Sync now, as decided, mirror-1' }));
    expect(backend.calls).toContainEqual(['sync', { repository: 'orchestrator', mirrors: ['mirror-1'], yes: false }]);
    backend.say(...beginning());
    await vi.waitFor(() => expect(card('mirror-1').queryByText('Decided, sync to carry out')).toBeNull());
  });

  it('does not say so while another question is open', async () => {
    await open(waiting([question, { ...question, id: 'refs/heads/topic' }]));
    await decide();
    expect(card('mirror-1').getByText('Waits for your decision', { selector: '.chip' })).toBeVisible();
  });
});

describe('the menu of ways to sync', () => {
  it('offers each aspect alone that is kept in step', async () => {
    const backend = new FakeBackend(
      overview([repository([mirror({ workflows: { status: 'skipped', last_sync_iso: null } })])]),
    );
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'More ways to sync mirror-1' }));
    const items = await screen.findAllByRole('menuitem');
    expect(items.map((item) => item.querySelector('.label')?.textContent)).toEqual([
      'Force sync',
      'Only code',
      'Only secrets',
      'Only variables',
    ]);
    await user.click(items[2]!);
    expect(backend.calls).toContainEqual([
      'sync',
      { repository: 'orchestrator', mirrors: ['mirror-1'], yes: false, only: ['secrets'] },
    ]);
  });
});

describe('a line of many mirrors', () => {
  it('has the menu of its mirror', async () => {
    await open(new FakeBackend(overview([repository([1, 2, 3, 4, 5].map((at) => mirror({ id: `mirror-${at}` })))])));
    const line = document.querySelector('[data-row="mirror-3"]')!;
    await fireEvent.contextMenu(line, { clientX: 5, clientY: 5 });
    expect(await screen.findByRole('menuitem', { name: 'Sync now' })).toBeInTheDocument();
  });
});

describe('a change of master that is open', () => {
  it('is told in the overview with who began it, and goes on from there', async () => {
    const backend = several();
    const report = backend.answer.repositories[0]!;
    report.open_change = {
      kind: 'role_change',
      mirror: 'mirror-1',
      writer: 'ada@laptop',
      since_iso: ago(360),
      detail: 'A change of master is open.',
    };
    report.standing = {
      ...stands('change_open', 'failed', 'change of master open'),
      actions: [{ verb: 'resume', mirror: 'mirror-1', label: 'Go on', command: 'standin promote mirror-1 --resume' }],
    };
    await open(backend);
    const row = within(document.querySelector<HTMLElement>('[data-repository="ada.blog"]')!);
    expect(row.getByText(/Begun by ada@laptop/)).toHaveTextContent('Begun by ada@laptop 6 minutes ago');
    await user.click(row.getByRole('button', { name: 'Go on: ada.blog' }));
    expect(backend.calls).toContainEqual(['roleEnd', 'ada.blog', 'mirror-1', 'resume']);
  });
});
