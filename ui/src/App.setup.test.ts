// The wizard: each kind from end to end, back and forth, and that nothing is written, shown or left behind too early.

import { screen, within } from '@testing-library/svelte';
import { describe, expect, it, vi } from 'vitest';

import type { MirrorRequest } from './lib/bindings/MirrorRequest';
import { draft } from './testing/fake_setup';
import { failure, mirror, overview, plan, repository } from './testing/fake';
import { atOneMoment, open, user } from './testing/page';
import { archived, closed, fresh, hostKey, seen } from './testing/setting_up';
import { TOKEN, called, fill, press, ready, step, toReview, toWhere, synced } from './testing/wizard';

atOneMoment();
// The whole way is walked in each of them.
vi.setConfig({ testTimeout: 30_000 });

describe('a standby on GitHub', () => {
  it('is set up from the first start to its card, with nothing written before the last button', async () => {
    const backend = fresh();
    const container = await toReview(backend);
    expect(called(backend, 'setUp')).toEqual([]);
    expect(screen.getByText('The repository backup-account/orchestrator, private and empty')).toBeVisible();
    expect(screen.getByText('DATABASE_URL')).toBeVisible();
    expect(screen.getByRole('radio', { name: /In the keychain/ })).toBeChecked();
    await press('Create the repository and set up');
    await step('The first sync');
    const request: MirrorRequest = {
      repository: null,
      form: null,
      change: {
        change: 'add',
        source: 'you/orchestrator',
        clone: '/home/you/src/orchestrator',
        mirror: null,
        kind: 'github',
        settings: [{ key: 'repo', value: 'backup-account/orchestrator' }],
      },
    };
    expect(called(backend, 'setUp')).toEqual([['setUp', draft(request), true, 'keychain']]);
    expect(called(backend, 'sync')).toEqual([
      ['sync', { repository: 'orchestrator', mirrors: ['standby'], yes: false }],
    ]);
    synced(backend, 'success');
    expect(await screen.findByText('Ready.')).toBeVisible();
    expect(container.innerHTML).not.toContain(TOKEN);
    await press('Open the card');
    expect(screen.getByRole('heading', { level: 1 })).toHaveTextContent('orchestrator');
    expect(document.querySelector('[data-mirror="standby"]')).not.toBeNull();
  });

  it('never shows a token or a value again, and empties their fields at once', async () => {
    const backend = fresh();
    const container = await toWhere(backend, /Standby on GitHub/);
    const typed = screen.getByLabelText<HTMLInputElement>('Token of the other account');
    expect(typed).toHaveAttribute('type', 'password');
    let taken = (): void => {};
    backend.setupToken = () => new Promise((resolve) => (taken = resolve));
    await user.type(typed, `${TOKEN}{Enter}`);
    // Before the backend has even answered.
    expect(typed.value).toBe('');
    taken();
    expect(await screen.findByText(/in memory only, until this is set up/)).toBeVisible();
    expect(container.innerHTML).not.toContain(TOKEN);
    expect([...document.querySelectorAll('input')].map((input) => input.value)).not.toContain(TOKEN);
    expect(JSON.stringify({ ...window.localStorage })).not.toContain(TOKEN);
  });

  it('hands on a token that still stands in its field when one goes on', async () => {
    const backend = fresh();
    await toWhere(backend, /Standby on GitHub/);
    await fill('Token of the other account', TOKEN);
    await fill('Repository there', 'backup-account/orchestrator{Enter}');
    await vi.waitFor(() => expect(called(backend, 'setupToken')).toEqual([['setupToken', 'mirror', 'typed']]));
    expect(await ready('Next')).toBeVisible();
  });

  it('has its token sent to no host that was not named, though the source is at another', async () => {
    const backend = fresh();
    await open(backend);
    await press('Set up a standby…');
    await user.click(await screen.findByRole('radio', { name: /Standby on GitHub/ }));
    await press('Next');
    await user.click(await screen.findByRole('radio', { name: 'Another one' }));
    await fill('owner/name, URL or path', 'ghe.example.com/you/orchestrator');
    backend.sourceLook = { ...backend.sourceLook, source: 'ghe.example.com/you/orchestrator' };
    await press('Look at it');
    await user.click(await ready('Next'));
    await step('Where is it to be?');
    await fill('Token of the other account', `${TOKEN}{Enter}`);
    expect(await screen.findByText(/typed, in memory only/)).toBeVisible();
    expect(called(backend, 'setupMirror')).toEqual([]);
    // It was typed for github.com, whose page was shown.
    await fill('Repository there', 'ghe.example.com/backup-account/orchestrator');
    await press('Look there');
    await vi.waitFor(() => expect(called(backend, 'setupMirror')).toHaveLength(1));
    expect(called(backend, 'setupToken').at(-1)).toEqual(['setupToken', 'mirror', null]);
  });

  it('is proposed in the account of the token, under the name of the source', async () => {
    const backend = fresh();
    await toWhere(backend, /Standby on GitHub/);
    await fill('Token of the other account', `${TOKEN}{Enter}`);
    await vi.waitFor(() =>
      expect(screen.getByLabelText('Repository there')).toHaveValue('backup-account/orchestrator'),
    );
  });

  it('in the account of its source is warned of before it is looked at', async () => {
    await toWhere(fresh(), /Standby on GitHub/);
    await fill('Repository there', 'You/spare');
    expect(screen.getByText(/If it is suspended, so is the standby/)).toBeVisible();
    await user.clear(screen.getByLabelText('Repository there'));
    await fill('Repository there', 'backup-account/spare');
    expect(screen.queryByText(/If it is suspended, so is the standby/)).toBeNull();
  });

  it('that is written with the token of the source’s account is warned of', async () => {
    const backend = fresh();
    backend.mirrorLook = { ...backend.mirrorLook, login: 'you', repo: 'organisation/spare' };
    await toWhere(backend, /Standby on GitHub/);
    await fill('Repository there', 'organisation/spare');
    await press('Look there');
    expect(await screen.findByText(/The token is you’s, with whom the source is read/)).toBeVisible();
  });

  it('is made only where that is wished, and one does not go on without it', async () => {
    const backend = fresh();
    await toWhere(backend, /Standby on GitHub/);
    await fill('Repository there', 'backup-account/orchestrator');
    await press('Look there');
    await ready('Next');
    await user.click(screen.getByRole('checkbox', { name: 'Create a private repository there' }));
    expect(await ready('Look again')).toBeVisible();
    backend.mirrorLook = { ...backend.mirrorLook, state: 'empty', is_private: true };
    await press('Look again');
    expect(await screen.findByText(/is there, empty, private/)).toBeVisible();
    expect(await ready('Next')).toBeVisible();
  });

  it('in a repository with something in it shows what the first sync would do', async () => {
    const backend = fresh();
    backend.mirrorLook = {
      ...backend.mirrorLook,
      state: 'filled',
      is_private: false,
      plan: plan({
        summary: 'A sync would make 1 change.',
        sections: [
          {
            ...plan().sections[0]!,
            changes: [{ aspect: 'code', action: 'delete', name: 'refs/heads/old', before: 'a'.repeat(40) }],
          },
        ],
      }),
    };
    await toWhere(backend, /Standby on GitHub/);
    await fill('Repository there', 'backup-account/orchestrator');
    await press('Look there');
    expect(await screen.findByText('A sync would make 1 change.')).toBeVisible();
    expect(screen.getByRole('region', { name: /Loses something/ })).toHaveTextContent('branch old');
    expect(screen.getByText(/is public: everybody will see/)).toBeVisible();
  });

  it('takes values that still stand in their fields along, and those of several lines whole', async () => {
    const backend = fresh();
    const given: unknown[] = [];
    const keep = backend.setupValue;
    backend.setupValue = (name, value) => {
      given.push([name, value]);
      return keep(name, value);
    };
    await toWhere(backend, /Standby on GitHub/);
    await fill('Repository there', 'backup-account/orchestrator{Enter}');
    await user.click(await ready('Next'));
    await step('What is kept in step?');
    await user.click(screen.getByLabelText('API_KEY'));
    await user.paste('-----BEGIN KEY-----\nabc\n-----END KEY-----\n');
    await screen.findByText(/^API_KEY: typed/);
    await fill('DATABASE_URL', ' as it is ');
    await press('Next');
    await step('Who watches when no computer of yours is on?');
    expect(given).toEqual([
      ['API_KEY', '-----BEGIN KEY-----\nabc\n-----END KEY-----\n'],
      ['DATABASE_URL', ' as it is '],
    ]);
  });

  it('asks for the values that are missing, and says how many still are', async () => {
    const backend = fresh();
    await toReview(backend);
    await press('Back');
    await press('Back');
    expect(screen.getByText('5 secrets: 4 have a value here, 1 needs one')).toBeVisible();
    await press('Forget the value of API_KEY');
    expect(screen.getByText('5 secrets: 3 have a value here, 2 need one')).toBeVisible();
    expect(screen.getByLabelText('API_KEY')).toHaveFocus();
    expect(called(backend, 'setupValue')).toEqual([
      ['setupValue', 'API_KEY', 'typed'],
      ['setupValue', 'API_KEY', null],
    ]);
    await user.click(screen.getByRole('checkbox', { name: 'Secrets' }));
    expect(screen.queryByLabelText('API_KEY')).toBeNull();
    await press('Next');
    await press('Next');
    await vi.waitFor(() =>
      expect(called(backend, 'mirrorDraft').at(-1)?.[1]).toMatchObject({
        change: { settings: [{ key: 'repo' }, { key: 'sync', value: ['code', 'variables', 'workflows'] }] },
      }),
    );
  });
});

describe('an archive', () => {
  it('asks about the key of its host, and trusts it by a button alone', async () => {
    const backend = fresh();
    backend.mirrorLook = archived({ host_key: hostKey });
    await toWhere(backend, /Archive over git/);
    await fill('Path or URL', 'git@nas.local:srv/orchestrator.git');
    await press('Look there');
    expect(await screen.findByText(hostKey.fingerprint)).toBeVisible();
    expect(called(backend, 'hostKeyAccept')).toEqual([]);
    backend.mirrorLook = archived();
    await press('Trust this key');
    expect(called(backend, 'hostKeyAccept')).toEqual([['hostKeyAccept', hostKey]]);
    await user.click(await ready('Next'));
    expect(await screen.findByText('Code alone')).toBeVisible();
    await press('Next');
    await step('This is what will be written');
    await user.click(await ready('Set up'));
    await step('The first sync');
    expect(called(backend, 'setUp')[0]).toMatchObject([
      'setUp',
      { request: { change: { kind: 'git', settings: [{ key: 'url', value: 'git@nas.local:srv/orchestrator.git' }] } } },
      false,
      'keychain',
    ]);
  });

  it('on a disk that is away is said to be so, and can be set up all the same', async () => {
    const backend = fresh();
    const error = failure({ message: '/media/disk/app.git: it cannot find the folder', hint: 'Is the disk there?' });
    backend.mirrorLook = archived({ repo: '/media/disk/app.git', error });
    await toWhere(backend, /Archive over git/);
    await fill('Path or URL', '/media/disk/app.git{Enter}');
    expect(await screen.findByRole('alert')).toHaveTextContent('it cannot find the folder');
    await press('Go on all the same');
    await step('What is kept in step?');
  });

  it('has no step for a sentinel', async () => {
    await toWhere(fresh(), /Archive over git/);
    expect(screen.getByText('Step 3 of 6: Where')).toBeInTheDocument();
    expect(within(screen.getByRole('navigation', { name: 'Steps' })).queryByText('Sentinel')).toBeNull();
  });
});

describe('a pull mirror', () => {
  it('needs no place, and follows its source', async () => {
    const backend = fresh();
    backend.mirrorLook = archived({ mirror: 'copy', repo: 'you/orchestrator' });
    await toWhere(backend, /Pull mirror/);
    await fill(/How often/, '6h');
    await press('Look there');
    await user.click(await ready('Next'));
    await press('Next');
    await user.click(await ready('Set up'));
    expect(called(backend, 'setUp')[0]?.[1]).toMatchObject({
      request: { change: { kind: 'pull', settings: [{ key: 'interval', value: '6h' }] } },
    });
  });
});

describe('the source', () => {
  it('that no token opens asks for one, and says which scopes it needs', async () => {
    const backend = fresh();
    backend.sourceLook = closed;
    await open(backend);
    await press('Set up a standby…');
    await press('Next');
    await screen.findByLabelText('owner/name, URL or path');
    await fill('owner/name, URL or path', 'you/orchestrator{Enter}');
    expect(await screen.findByRole('alert')).toHaveTextContent('there is no token for you/orchestrator');
    expect(screen.getByText(/scopes=repo,workflow/)).toBeInTheDocument();
    backend.sourceLook = seen;
    await fill('Token for the source', `${TOKEN}{Enter}`);
    expect(
      await screen.findByText('private · 12 branches and tags · 5 secrets · 3 variables · 4 workflows'),
    ).toBeVisible();
    expect(await ready('Next')).toBeVisible();
  });

  it('that is another one takes neither values nor a token of another host along', async () => {
    const backend = fresh();
    await toReview(backend);
    for (const _ of [1, 2, 3, 4]) await press('Back');
    await user.click(await screen.findByRole('radio', { name: 'Another one' }));
    await fill('owner/name, URL or path', 'https://git.example.com/a/b');
    await press('Look at it');
    await ready('Next');
    expect(called(backend, 'setupValue').at(-1)).toEqual(['setupValue', 'API_KEY', null]);
  });

  it('of a repository that is configured is not asked for again', async () => {
    const backend = fresh();
    backend.answer = overview([repository([mirror()])]);
    backend.sourceLook = { ...seen, is_known: true };
    await open(backend);
    await press('Actions for mirror-1');
    await user.click(await screen.findByRole('menuitem', { name: 'Add another mirror…' }));
    await step('What do you want to set up?');
    await press('Next');
    await step('Where is it to be?');
    expect(called(backend, 'setupSource')).toEqual([
      [
        'setupSource',
        {
          repository: 'orchestrator',
          form: null,
          change: { change: 'add', source: null, clone: null, mirror: null, kind: 'github', settings: [] },
        },
      ],
    ]);
    await press('Back');
    await step('What do you want to set up?');
  });

  it('can be a folder that is chosen, and a refusal is shown', async () => {
    const backend = fresh();
    backend.chooseSource = () => Promise.reject(failure({ code: 'usage', message: '/home/you is no git repository' }));
    await open(backend);
    await press('Set up a standby…');
    await press('Next');
    await user.click(await screen.findByRole('button', { name: 'Choose a folder…' }));
    expect(await screen.findByRole('alert')).toHaveTextContent('/home/you is no git repository');
  });
});
