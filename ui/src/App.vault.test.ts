// The vault of a repository: names and places, never a value; what is typed is handed over once.

import { fireEvent, screen, within } from '@testing-library/svelte';
import axe from 'axe-core';
import { describe, expect, it, vi } from 'vitest';

import type { SecretPlace } from './lib/bindings/SecretPlace';
import type { SecretState } from './lib/bindings/SecretState';
import { archive, failure, FakeBackend, mirror, overview, plan, repository, section } from './testing/fake';
import { atOneMoment, open, user } from './testing/page';

atOneMoment();

const places: SecretPlace[] = [
  { name: 'API_KEY', source: 'vault', in_vault: true, travels: true },
  { name: 'DEPLOY_KEY', source: 'env', in_vault: false, travels: true },
  { name: 'OLD_KEY', source: null, in_vault: true, travels: false },
];

const compared = (names: [string, SecretState][]) =>
  plan({ sections: [section('secrets', { details: { secrets: { names, notices: [], sources: {} } } })] });

async function vault(backend = new FakeBackend(overview([repository([mirror(), archive()])]))) {
  if (backend.places.length === 0) backend.places = structuredClone(places);
  const container = await open(backend);
  await user.click(screen.getByRole('tab', { name: 'Vault' }));
  await screen.findByRole('list', { name: 'Secrets of orchestrator' });
  return { backend, container };
}

const row = (name: string) => within(document.querySelector<HTMLElement>(`[data-secret="${name}"]`)!);
const calls = (backend: FakeBackend, wanted: string) => backend.calls.filter(([name]) => name === wanted);

describe('the vault', () => {
  it('names each secret with where its value comes from', async () => {
    const { container } = await vault();
    expect(row('API_KEY').getByText('From the vault')).toBeVisible();
    expect(row('DEPLOY_KEY').getByText('From .env')).toBeVisible();
    expect(row('OLD_KEY').getByText('In the vault, but not meant to travel')).toBeVisible();
    // Only what is in the vault can be taken out of it.
    expect(row('DEPLOY_KEY').queryByRole('button', { name: /^Remove/ })).toBeNull();
    vi.useRealTimers();
    const found = await axe.run(container, { rules: { 'color-contrast': { enabled: false } } });
    expect(found.violations.map((violation) => violation.id)).toEqual([]);
  });

  it('says which mirrors lack one, once somebody asks, and finds names without a value', async () => {
    const { backend } = await vault();
    expect(calls(backend, 'plan')).toEqual([]);
    backend.plans = [
      compared([
        ['API_KEY', 'create'],
        ['DATABASE_URL', 'missing_here'],
      ]),
    ];
    await user.click(screen.getByRole('button', { name: 'Compare with the mirrors' }));
    expect(calls(backend, 'plan')).toEqual([
      ['plan', { repository: 'orchestrator', mirrors: [], yes: false, only: ['secrets'] }],
    ]);
    expect(row('API_KEY').getByText('mirror-1 lacks it; the next sync brings it')).toBeVisible();
    expect(row('DATABASE_URL').getByText('No value here')).toBeVisible();
    expect(screen.getByText('1 secret without a value here')).toBeVisible();
    expect(row('DATABASE_URL').getByRole('button', { name: 'Set…, the value of DATABASE_URL' })).toBeVisible();
  });

  it('that cannot be compared says why and keeps its names', async () => {
    const { backend } = await vault();
    backend.plan = () => Promise.reject(failure({ message: 'github.com could not be reached' }));
    await user.click(screen.getByRole('button', { name: 'Compare with the mirrors' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('github.com could not be reached');
    expect(row('API_KEY').getByText('From the vault')).toBeVisible();
  });

  it('that cannot be read says why, and is read again', async () => {
    const backend = new FakeBackend(overview([repository([mirror()])]));
    const read = backend.secrets;
    backend.places = places;
    backend.secrets = () => Promise.reject(failure({ code: 'storage', message: 'the vault cannot be read' }));
    await open(backend);
    await user.click(screen.getByRole('tab', { name: 'Vault' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('the vault cannot be read');
    backend.secrets = read;
    await user.click(screen.getByRole('button', { name: 'Try again' }));
    expect(await screen.findByText('From .env')).toBeVisible();
  });
});

describe('a value', () => {
  it('is typed where nobody sees it, handed over once, and is nowhere on the page after', async () => {
    const { backend, container } = await vault();
    const kept = vi.spyOn(backend, 'secretSet');
    const opener = row('API_KEY').getByRole('button', { name: 'Replace…, the value of API_KEY' });
    await user.click(opener);
    const field = screen.getByLabelText('Value of API_KEY');
    expect(field).toHaveAttribute('type', 'password');
    expect(field).toHaveFocus();
    await user.type(field, 's3cret value{Enter}');
    expect(kept.mock.calls).toEqual([['orchestrator', 'API_KEY', 's3cret value']]);
    expect(await screen.findByText('API_KEY is kept in the vault.')).toBeVisible();
    expect(container.innerHTML).not.toContain('s3cret');
    expect(JSON.stringify(localStorage)).not.toContain('s3cret');
    expect(screen.queryByLabelText('Value of API_KEY')).toBeNull();
    await vi.waitFor(() => expect(opener).toHaveFocus());
  });

  it('that is refused leaves an empty field and the reason, and its name stays', async () => {
    const { backend } = await vault();
    backend.refuseSecret = failure({ code: 'keychain_locked', message: 'the keychain is locked', hint: 'Unlock it.' });
    await user.click(screen.getByRole('button', { name: 'Add a secret…' }));
    const form = within(screen.getByRole('form', { name: 'Add a secret' }));
    await user.type(form.getByRole('textbox', { name: 'Name' }), 'NEW_KEY');
    const field = form.getByLabelText<HTMLInputElement>('Value');
    await user.type(field, 's3cret');
    await user.click(form.getByRole('button', { name: 'Keep in the vault' }));
    expect(await form.findByRole('alert')).toHaveTextContent('the keychain is locked');
    expect(field.value).toBe('');
    expect(field).toHaveFocus();
    expect(form.getByRole('textbox', { name: 'Name' })).toHaveValue('NEW_KEY');
    backend.refuseSecret = null;
    await user.type(field, 's3cret{Enter}');
    expect(await screen.findByText('NEW_KEY is kept in the vault.')).toBeVisible();
    expect(row('NEW_KEY').getByText('From the vault')).toBeVisible();
  });

  it('of several lines is kept as it was pasted', async () => {
    const { backend } = await vault();
    const kept = vi.spyOn(backend, 'secretSet');
    await user.click(row('API_KEY').getByRole('button', { name: /^Replace/ }));
    const field = screen.getByLabelText('Value of API_KEY');
    const key = '-----BEGIN KEY-----\nabc\n-----END KEY-----\n';
    await fireEvent.paste(field, { clipboardData: { getData: () => key } });
    expect(screen.getByText('3 lines pasted; they are kept as they are.')).toBeVisible();
    await user.type(field, '{Enter}');
    expect(kept.mock.calls).toEqual([['orchestrator', 'API_KEY', key]]);
  });

  it('that is not used, since .env has one, is said to be so', async () => {
    await vault();
    await user.click(row('DEPLOY_KEY').getByRole('button', { name: /^Set/ }));
    await user.type(screen.getByLabelText('Value of DEPLOY_KEY'), 'x{Enter}');
    expect(await screen.findByText(/The value in \.env comes first/)).toBeVisible();
  });
});

describe('a removal', () => {
  it('asks once, says what stops, and changes nothing before the yes', async () => {
    const { backend } = await vault();
    await user.click(row('API_KEY').getByRole('button', { name: /^Remove…/ }));
    const sure = row('API_KEY').getByRole('group', { name: /Remove API_KEY from the vault\?/ });
    await vi.waitFor(() => expect(sure).toHaveFocus());
    expect(sure).toHaveTextContent(/workflows that use API_KEY fail there/);
    expect(calls(backend, 'secretRemove')).toEqual([]);
    await user.click(within(sure).getByRole('button', { name: 'Remove API_KEY' }));
    expect(calls(backend, 'secretRemove')).toEqual([['secretRemove', 'orchestrator', 'API_KEY']]);
    expect(await screen.findByText('API_KEY removed from the vault.')).toBeVisible();
    expect(document.querySelector('[data-secret="API_KEY"]')).toBeNull();
    // The row is gone; who stood on it stands before the rest.
    await vi.waitFor(() => expect(screen.getByRole('button', { name: 'Add a secret…' })).toHaveFocus());
  });

  it('can be left, and that one is refused says why', async () => {
    const { backend } = await vault();
    const opener = row('API_KEY').getByRole('button', { name: /^Remove…/ });
    await user.click(opener);
    await user.click(row('API_KEY').getByRole('button', { name: 'Keep it' }));
    await vi.waitFor(() => expect(opener).toHaveFocus());
    await user.click(opener);
    backend.refuseSecret = failure({ code: 'storage', message: 'the vault cannot be written' });
    await user.click(row('API_KEY').getByRole('button', { name: 'Remove API_KEY' }));
    expect(await row('API_KEY').findByRole('alert')).toHaveTextContent('the vault cannot be written');
  });
});

describe('what waits for a yes', () => {
  it('is asked above the vault too', async () => {
    const backend = new FakeBackend(
      overview([
        repository([mirror()], {
          consent: {
            title: 'Secrets that were given for another place would be used:',
            hash: 'abc',
            is_change: false,
            is_denied: false,
            lines: [{ change: 'added', topic: 'sends', text: 'API_KEY to backup/app' }],
            totals: [],
          },
        }),
      ]),
    );
    await vault(backend);
    await user.click(screen.getByRole('button', { name: 'Allow this' }));
    expect(backend.calls).toContainEqual(['consentAllow', 'orchestrator', 'abc']);
  });
});
