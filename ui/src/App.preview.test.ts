import { screen, within } from '@testing-library/svelte';
import { describe, expect, it, vi } from 'vitest';

import type { Choice } from './lib/bindings/Choice';
import {
  ago,
  ask,
  failure,
  FakeBackend,
  mirror,
  OID,
  OTHER_OID,
  overview,
  plan,
  repository,
  section,
} from './testing/fake';
import { atOneMoment, open, user } from './testing/page';

atOneMoment();

/** Of the plan that was shown. */
const seals = { 'mirror-1': '5ea1' };

describe('the preview', () => {
  it('says that nothing would change', async () => {
    await open(new FakeBackend(overview([repository([mirror()])])));
    await user.click(screen.getByRole('button', { name: 'Preview a sync of mirror-1' }));
    const dialog = await screen.findByRole('dialog', { name: 'What a sync of mirror-1 would do' });
    expect(await within(dialog).findByText(/Everything is in step/)).toBeVisible();
  });

  it('says which refs cannot be made, what is in their way, and what to do', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    const impossible = [
      {
        message: 'Branch topic/one cannot be made: branch topic is in its way on the mirror',
        hint: 'Give it up with `standin resolve mirror-1 refs/heads/topic overwrite`.',
      },
    ];
    const summary = 'A sync would make 0 changes; 1 ref cannot be made. Nothing is changed yet.';
    backend.plans = [plan({ summary, sections: [section('code', { impossible })] })];
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Preview a sync of mirror-1' }));
    const dialog = within(await screen.findByRole('dialog'));
    expect(await dialog.findByText(/Branch topic\/one cannot be made: branch topic is in its way/)).toBeVisible();
    expect(dialog.getByText('standin resolve mirror-1 refs/heads/topic overwrite', { selector: 'code' })).toBeVisible();
    expect(dialog.getByText(/A sync would make 0 changes; 1 ref cannot be made/)).toBeVisible();
    expect(dialog.queryByText(/Everything is in step/)).toBeNull();
  });

  it('asks for every guard and new secret name before it syncs with a yes', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    const guards = [ask({ id: 'guard/many_refs' }), ask({ id: 'guard/source_empty' })];
    const names = ask({ id: 'secrets/new', topic: 'new_names', facts: ['DATABASE_PASSWORD'] });
    backend.plans = [plan({ sections: [section('code', { asks: guards }), section('secrets', { asks: [names] })] })];
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Preview a sync of mirror-1' }));
    const dialog = within(await screen.findByRole('dialog'));
    expect(await dialog.findByText('DATABASE_PASSWORD')).toBeVisible();
    const confirm = dialog.getByRole('button', { name: 'Confirm and sync' });
    for (const box of dialog.getAllByRole('checkbox')) {
      expect(confirm).toBeDisabled();
      await user.click(box);
    }
    expect(dialog.getAllByRole('checkbox')).toHaveLength(3);
    await user.click(confirm);
    expect(backend.calls).toContainEqual([
      'sync',
      { repository: 'orchestrator', mirrors: ['mirror-1'], yes: true, seals },
    ]);
    expect(screen.queryByRole('dialog')).toBeNull();
  });

  it('can sync the rest without what is to be confirmed', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    backend.plans = [plan({ sections: [section('code', { asks: [ask({ id: 'guard/private_to_public' })] })] })];
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Preview a sync of mirror-1' }));
    await user.click(await screen.findByRole('button', { name: 'Sync the rest' }));
    expect(backend.calls).toContainEqual([
      'sync',
      { repository: 'orchestrator', mirrors: ['mirror-1'], yes: false, seals },
    ]);
  });

  it('shows what a repository is that may be the wrong one, and offers no sync without the yes', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    const words = 'First contact with a repository of `somebody` that shares no commit with the source: 3 branches.';
    backend.plans = [plan({ asks: [ask({ id: 'guard/first_contact', topic: 'first_contact', words })] })];
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Preview a sync of mirror-1' }));
    const dialog = within(await screen.findByRole('dialog'));
    const question = await dialog.findByRole('checkbox', { name: /repository of somebody that shares no commit/ });
    expect(dialog.getByText(/Nothing at all is changed there before you confirm/)).toBeVisible();
    expect(dialog.queryByRole('button', { name: 'Sync the rest' })).toBeNull();
    const confirm = dialog.getByRole('button', { name: 'Confirm and sync' });
    expect(confirm).toBeDisabled();
    await user.click(question);
    await user.click(confirm);
    expect(backend.calls).toContainEqual([
      'sync',
      { repository: 'orchestrator', mirrors: ['mirror-1'], yes: true, seals },
    ]);
  });

  it('offers overwrite, take and leave for a diverged ref, each explained', async () => {
    const blocked = mirror({
      status: 'blocked',
      code: {
        status: 'blocked',
        last_sync_iso: ago(60),
        error: 'branch main has diverged',
        hint: 'Decide.',
        action: { verb: 'decide', mirror: 'mirror-1', label: 'Decide', command: 'standin plan --mirror mirror-1' },
      },
    });
    const backend = new FakeBackend(overview([repository([blocked])]));
    const choices: Choice[] = [
      { choice: 'take', label: 'Take', words: 'Bring it to the source as `rescue/mirror-1/main`.' },
      { choice: 'overwrite', label: 'Overwrite', words: 'The mirror’s is rescued first.' },
      { choice: 'leave', label: 'Leave', words: 'Change nothing there.' },
    ];
    const diverged = ask({
      id: 'refs/heads/main',
      topic: 'diverged',
      words: 'Branch main is 5c1d on the mirror, which did not come from the source.',
      facts: ['1 commit only on the mirror'],
      choices,
    });
    backend.plans = [plan({ sections: [section('code', { asks: [diverged] })] })];
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Decide' }));
    const decision = within(await screen.findByRole('group', { name: 'Decision for branch main' }));
    const answers = decision.getAllByRole('radio');
    expect(answers.map((answer) => answer.getAttribute('value'))).toEqual(['take', 'overwrite', 'leave']);
    expect(decision.getByRole('radio', { name: /^Bring home recommended/ })).toHaveAccessibleDescription(
      /rescue\/mirror-1\/main/,
    );
    expect(decision.getByRole('radio', { name: /^Put the master’s there/ })).toHaveAccessibleDescription(
      /rescued first/,
    );
    expect(decision.getByText('1 commit only on the mirror')).toBeVisible();
    expect(answers.some((answer) => (answer as HTMLInputElement).checked)).toBe(false);
    expect(decision.getByRole('button', { name: 'Decide about branch main' })).toBeDisabled();
    expect(screen.getByRole('button', { name: 'Sync the rest' })).toBeEnabled();

    await user.click(decision.getByRole('radio', { name: /^Leave/ }));
    backend.plans = [plan({ sections: [section('code', { asks: [{ ...diverged, decided: 'leave' }] })] })];
    await user.click(decision.getByRole('button', { name: 'Decide about branch main' }));
    expect(backend.calls).toContainEqual(['resolve', 'orchestrator', 'mirror-1', 'refs/heads/main', 'leave']);
    expect(await screen.findByText('Decided; the next sync does it.')).toBeVisible();
    expect(backend.calls.filter(([name]) => name === 'plan')).toHaveLength(2);
    const change = await decision.findByRole('button', { name: 'Change what becomes of branch main' });
    await vi.waitFor(() => expect(change).toHaveFocus());
    expect(decision.queryByRole('radio')).toBeNull();
    expect(screen.getByRole('group', { name: 'Decision for branch main' })).toHaveTextContent(
      'Leave chosen for branch main',
    );
    expect(within(screen.getByRole('dialog')).getByRole('button', { name: 'Sync now' })).toBeEnabled();

    await user.click(change);
    expect(decision.getByRole('radio', { name: /^Leave/ })).toBeChecked();
    await user.click(decision.getByRole('radio', { name: /^Bring home/ }));
    // What is chosen may take the question out of the plan; it can be changed all the same.
    backend.plans = [plan()];
    await user.click(decision.getByRole('button', { name: 'Decide about branch main' }));
    expect(backend.calls).toContainEqual(['resolve', 'orchestrator', 'mirror-1', 'refs/heads/main', 'take']);
    const again = within(await screen.findByRole('group', { name: 'Decision for branch main' }));
    expect(await again.findByText('Bring home')).toBeVisible();
    expect(again.getByRole('button', { name: 'Change what becomes of branch main' })).toBeEnabled();
  });

  it('that is refused an answer says why and keeps the question open', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    const choices: Choice[] = [{ choice: 'take', label: 'Take', words: 'Bring it to the source.' }];
    const diverged = ask({ id: 'refs/heads/main', topic: 'diverged', choices });
    backend.plans = [plan({ sections: [section('code', { asks: [diverged] })] })];
    backend.resolve = () =>
      Promise.reject(failure({ code: 'raced', message: 'branch main moved', hint: 'Look again.' }));
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Preview a sync of mirror-1' }));
    await user.click(await screen.findByRole('radio', { name: /^Bring home/ }));
    await user.click(screen.getByRole('button', { name: 'Decide about branch main' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('branch main moved');
    expect(screen.getByRole('radio', { name: /^Bring home/ })).toBeChecked();
  });

  it('groups what it would do by what that means, and lists what a guard is about', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    const code = section('code', {
      asks: [ask({ id: 'guard/many_refs', words: '2 of 4 refs would be rewritten or deleted.' })],
      changes: [
        { aspect: 'code', action: 'fast_forward', name: 'refs/heads/main', before: OTHER_OID, after: OID },
        { aspect: 'code', action: 'delete', name: 'refs/heads/old', before: OTHER_OID, note: 'rescued first' },
        { aspect: 'code', action: 'rewrite', name: 'refs/tags/v1', before: OTHER_OID, after: OID },
      ],
      facts: ['4 refs in step'],
    });
    const secrets = section('secrets', {
      changes: [{ aspect: 'secrets', action: 'create', name: 'RESEND_API_KEY', note: 'from `.env`' }],
      failure: null,
    });
    const variables = section('variables', { failure: failure({ message: 'the variables cannot be read' }) });
    backend.plans = [plan({ sections: [code, secrets, variables] })];
    await open(backend);
    await user.click(screen.getByRole('button', { name: 'Preview a sync of mirror-1' }));
    const group = (name: RegExp) => screen.findByRole('region', { name });
    expect(await group(/^Loses something \(2\)/)).toHaveTextContent(/Delete branch old.*rescued first.*Rewrite tag v1/);
    expect(await group(/^Adds or updates \(2\)/)).toHaveTextContent(
      /Fast-forward branch main.*Create secret RESEND_API_KEY/,
    );
    expect(await group(/^Cannot be done \(1\)/)).toHaveTextContent('the variables cannot be read');
    expect(within(await group(/^To decide \(1\)/)).getByRole('list', { name: 'What it is about' })).toHaveTextContent(
      'branch oldtag v1',
    );
    expect(screen.getByText('4 refs in step').closest('details')).not.toHaveAttribute('open');
    expect(screen.getByRole('dialog')).not.toHaveTextContent('`');
  });
});
