// The states that the gallery shows, each by a name.

import type { Action } from '../src/lib/bindings/Action';
import type { AspectReport } from '../src/lib/bindings/AspectReport';
import type { HandBack } from '../src/lib/bindings/HandBack';
import type { MasterHealth } from '../src/lib/bindings/MasterHealth';
import type { MirrorReport } from '../src/lib/bindings/MirrorReport';
import type { RolePlan } from '../src/lib/bindings/RolePlan';
import type { Verb } from '../src/lib/bindings/Verb';
import {
  ago,
  archive,
  ask,
  copy,
  failed,
  failure,
  FakeBackend,
  inStep,
  job,
  masterHealth,
  mirror,
  neverSynced,
  OID,
  overview,
  plan,
  repository,
  rolePlan,
  section,
  stands,
  started,
  UPSTREAM,
  waits,
} from '../src/testing/fake';
import { programStates } from './states_program';
import { setupStates } from './states_setup';

import { activityStates } from './states_activity';
import { drillStates } from './states_drill';
import { sentinelStates } from './states_sentinel';

export type Step = (backend: FakeBackend) => void | Promise<void>;

export interface State {
  backend(): FakeBackend;
  /** What happens before the picture is taken. */
  then?: Step[];
}

/** Presses the first button or tab whose words begin so. */
function press(words: string): Step {
  return () => {
    const found = [...document.querySelectorAll('button')].find((button) =>
      button.textContent?.trim().startsWith(words),
    );
    if (!found) throw new Error(`no button ${words}`);
    found.click();
  };
}

function one(mirrors: MirrorReport[], over: Parameters<typeof repository>[1] = {}): () => FakeBackend {
  return () => new FakeBackend(overview([repository(mirrors, over)]));
}

function todo(verb: Verb, label: string): Action {
  return { verb, label, mirror: 'mirror-1', command: `standin ${verb} mirror-1` };
}

function ill(verdict: 'down' | 'gone'): MasterHealth {
  return {
    place: 'source',
    repo: 'you/orchestrator',
    verdict,
    cause: verdict === 'down' ? 'ill' : 'gone',
    health: 'failed',
    detail: verdict === 'down' ? 'it answers with HTTP 503' : 'it answers with HTTP 404, though the token is good',
    hint: 'If it stays so, a standby takes over with `standin promote mirror-1`.',
    since_iso: ago(720),
    last_health_check_iso: ago(20),
  };
}

const unread = (report: AspectReport): AspectReport => ({
  ...report,
  status: 'failed',
  last_try_iso: ago(20),
  at_source: true,
  error: 'github.com answered 503 for you/orchestrator',
  hint: 'Wait, and sync again.',
});

/** A mirror whose last sync could not read the master. */
function waiting(over: Partial<MirrorReport> = {}): MirrorReport {
  const well = mirror(over);
  return { ...well, status: 'failed', code: unread(well.code), variables: unread(well.variables) };
}

const diverged: AspectReport = {
  status: 'blocked',
  last_sync_iso: ago(60),
  last_commit: OID,
  error: 'branch main has 2 commits of its own on the mirror',
  hint: 'Decide what is to become of them.',
  action: todo('decide', 'Decide'),
};

const broken: AspectReport = {
  status: 'failed',
  last_sync_iso: ago(7300),
  last_try_iso: ago(60),
  synced_count: 4,
  total: 5,
  error: 'RESEND_API_KEY could not be set on backup-account/orchestrator: HTTP 403',
  hint: 'Give the token the permission Secrets (write).',
};

function decide(): FakeBackend {
  const backend = one([mirror({ status: 'blocked', standing: waits, code: diverged })], { standing: waits })();
  const words = 'Branch main is 5c1d8f00aa11 on the mirror, which did not come from the source.';
  const question = ask({
    id: 'refs/heads/main',
    topic: 'diverged',
    words,
    facts: ['2 commits only on the mirror'],
    choices: [
      { choice: 'take', label: 'Take', words: 'Bring it to the source as `rescue/mirror-1/main`.' },
      { choice: 'overwrite', label: 'Overwrite', words: 'The mirror’s is rescued first.' },
      { choice: 'leave', label: 'Leave', words: 'Change nothing there.' },
    ],
  });
  const guard = ask({ id: 'guard/many_refs', words: 'A sync would delete 40 of 50 branches. Is it meant?' });
  backend.plans = [
    plan({
      summary: 'A sync would make 2 changes; 1 decision and 1 confirmation are asked for.',
      sections: [
        section('code', { asks: [guard, question], facts: ['4 refs in step'] }),
        section('secrets', { asks: [ask({ id: 'secrets/new', topic: 'new_names', facts: ['DATABASE_PASSWORD'] })] }),
        section('variables', { facts: ['1 variable in step'] }),
      ],
    }),
  ];
  return backend;
}

function promoted(over: Parameters<typeof repository>[1] = {}): FakeBackend {
  const standing = stands('stands_in', 'waiting', 'stands in', 'you/orchestrator waits for the hand-back.');
  const waits_back = stands('waits_for_hand_back', 'waiting', 'waits for the hand-back');
  const standIn = mirror({ role: 'TEMPORARY_MASTER', status: 'idle', standing });
  const source = mirror({ id: 'source', repo: 'you/orchestrator', status: 'idle', standing: waits_back });
  return one([standIn, source, archive()], { self_role: 'SLAVE', master: standIn.repo, epoch: 2, standing, ...over })();
}

function crowd(amount: number): () => FakeBackend {
  const of = (at: number): MirrorReport => {
    const who = { id: `mirror-${at}`, repo: `backup-${at}/orchestrator` };
    if (at === amount - 1) return mirror({ ...who, standing: failed, status: 'failed', secrets: broken });
    if (at === amount - 2) return mirror({ ...who, standing: waits, status: 'blocked', code: diverged });
    return mirror(who);
  };
  return one(Array.from({ length: amount }, (_, at) => of(at)));
}

/** Names and errors as long as hosts allow them. */
function wordy(): FakeBackend {
  const long = 'the-orchestrator-of-everything-that-we-ever-deployed-to-production-and-then-some-more';
  const message = `${long}/${long} answered refs/heads/feature/${long}_${long} with HTTP 500`;
  const home = mirror({ repo: `an-organisation-with-a-long-name/${long}`, standing: failed, secrets: broken });
  const error = failure({ message, hint: `See https://status.example.com/incidents/${long}/${long}?at=now` });
  const backend = new FakeBackend(
    overview(
      [
        repository(
          [{ ...home, error, status: 'failed' }, archive({ repo: `ssh://git@backup.example.com/~/${long}` })],
          {
            repository: `an-organisation-with-a-long-name.${long}`,
            master: `an-organisation-with-a-long-name/${long}`,
            standing: failed,
          },
        ),
      ],
      { notices: [{ message: `The file ${long}.toml is read twice.`, hint: 'Remove one of the two.' }] },
    ),
  );
  backend.audit = async () => [
    {
      at_iso: ago(125),
      actor: 'you@a-machine-with-a-long-name (desktop)',
      action: 'role_change',
      repository: 'orchestrator',
      mirror: 'mirror-1',
      detail: '2 changes',
      outcome: message,
    },
  ];
  return backend;
}

const several = (): FakeBackend =>
  new FakeBackend(
    overview(
      [
        repository([mirror()], { repository: 'you.blog', master: 'you/blog' }),
        repository([neverSynced()], { repository: 'notes', master: 'you/notes', last_full_sync_iso: null }),
        repository([mirror()], {
          repository: 'you.site',
          master: 'you/site',
          standing: { ...waits, reason: 'main has 2 commits of its own.', actions: [todo('decide', 'Decide')] },
        }),
        repository([mirror()], {
          repository: 'you.orchestrator',
          standing: {
            ...stands('master_down', 'failed', 'master down', 'you/orchestrator answers with HTTP 503.'),
            since_iso: ago(720),
            actions: [todo('health', 'Check again')],
          },
        }),
        ...Array.from({ length: 6 }, (_, at) =>
          repository([mirror()], { repository: `service-${at}`, standing: inStep }),
        ),
      ],
      { notices: [{ message: 'There is no keychain in this session.', hint: 'Tokens stay in memory.' }] },
    ),
  );

const syncing: Step = (backend) => {
  const place = { repository: 'orchestrator', mirror: 'mirror-1', run: 'run-9' };
  backend.say(
    started(job()),
    { at_iso: ago(0), event: 'run_started', repo: 'backup-account/orchestrator', type: 'github', ...place },
    { at_iso: ago(0), event: 'aspect_started', aspect: 'code', ...place },
    { at_iso: ago(0), event: 'progress', aspect: 'code', phase: 'writing objects', done: 3, total: 9, ...place },
    {
      at_iso: ago(0),
      event: 'change',
      change: { aspect: 'code', action: 'create', name: 'refs/heads/main', after: OID },
      outcome: { outcome: 'done' },
      ...place,
    },
    { at_iso: ago(0), event: 'notice', notice: { message: 'Large files are not pushed.', hint: '' }, ...place },
  );
};

const master_down = stands('master_down', 'failed', 'master down', 'you/orchestrator answers with HTTP 503.');
const master_gone = stands('master_gone', 'failed', 'master gone', 'you/orchestrator answers with HTTP 404.');
const role_change = {
  kind: 'role_change',
  mirror: 'mirror-1',
  writer: 'you@desk',
  since_iso: ago(400),
  detail: 'A role change is open. `standin promote mirror-1 --resume` goes on with it.',
  action: todo('resume', 'Go on'),
};

/** A standby that could take over, and what that would do. */
function changing(over: Partial<RolePlan> = {}): () => FakeBackend {
  return () => {
    const backend = one([mirror(), archive()], { standing: master_down, master_health: masterHealth('gone') })();
    backend.rolePlanned = () => rolePlan(over);
    return backend;
  };
}

/** A change of master that is at its second step, after the first failed to be told once. */
function halfWay(backend: FakeBackend): void {
  const step = { event: 'role_step' as const, repository: 'orchestrator', of: 3, error: null, at_iso: ago(2) };
  backend.say(
    { event: 'role_change_started', at_iso: ago(3), repository: 'orchestrator', headline: 'make it master', steps: 3 },
    {
      ...step,
      number: 1,
      what: 'put the change into the fence of backup-account/orchestrator',
      state: 'done',
      detail: 'epoch 2',
    },
    {
      ...step,
      number: 2,
      what: 'give backup-account/orchestrator the workflows of a master',
      state: 'started',
      detail: '',
    },
  );
}

const home: HandBack = {
  from: 'backup-account/orchestrator',
  to: 'you/orchestrator',
  epoch: 2,
  in_step: 3,
  refs: [
    {
      name: 'refs/heads/main',
      tip: OID,
      source_tip: OID,
      fate: 'fast_forward',
      at: 'refs/heads/main',
      is_there: false,
      commits: 3,
    },
  ],
  only_at_source: [],
  variables: [{ name: 'DEPLOY_MODE', state: 'differs' }],
  secrets: [{ name: 'API_KEY', updated_iso: ago(600), is_new: false }],
  notices: [],
};

export const states: Record<string, State> = {
  loading: {
    backend() {
      const backend = new FakeBackend(overview([]));
      backend.overview = () => new Promise(() => {});
      return backend;
    },
  },
  unreadable: {
    backend() {
      const backend = new FakeBackend(overview([]));
      backend.overview = () =>
        Promise.reject(
          failure({
            code: 'storage',
            message: 'state.db is locked by another program',
            hint: 'End it, and try again.',
          }),
        );
      return backend;
    },
  },
  mistakes: {
    backend: () =>
      new FakeBackend(
        overview([], {
          mistakes: [
            failure({ code: 'configuration', message: 'MIRROR_1_TYPE is `githup`', hint: 'Use github or git.' }),
            failure({ code: 'configuration', message: 'MIRROR_2_REPO is missing', hint: 'Write it.' }),
          ],
        }),
      ),
  },
  empty: { backend: () => new FakeBackend(overview([])) },
  'no-mirror': { backend: one([], { standing: stands('no_mirrors', 'unknown', 'no mirrors') }) },
  'in-step': { backend: one([mirror()]) },
  'standby-and-archive': { backend: one([mirror(), archive()]) },
  failed: {
    backend: one([mirror({ standing: failed, status: 'failed', secrets: broken }), archive()], { standing: failed }),
  },
  'needs-decision': { backend: decide },
  'worst-day': {
    backend: one([waiting(), archive()], {
      standing: master_down,
      master_health: ill('down'),
    }),
  },
  'master-gone': {
    backend: one([waiting()], { standing: master_gone, master_health: ill('gone') }),
  },
  'host-ill': {
    backend: one([waiting(), archive()], {
      standing: stands('master_unknown', 'waiting', 'master unknown'),
      master_health: masterHealth('host_ill'),
    }),
  },
  'token-refused': {
    backend: one([waiting()], {
      standing: stands('master_unknown', 'waiting', 'master unknown'),
      master_health: masterHealth('token_refused'),
    }),
  },
  promote: { backend: changing(), then: [press('Make mirror-1 the master')] },
  'promote-costs': {
    backend: changing({ missing_commits: 4, missing_refs: ['refs/heads/topic'], missing_secrets: ['API_KEY'] }),
    then: [press('Make mirror-1 the master'), press('Go on')],
  },
  'promote-unclear': {
    backend: () => {
      const backend = changing()();
      const action = todo('say_gone', 'Say that it is gone');
      backend.rolePlanned = () => failure({ message: 'whether the master is there cannot be told from here', action });
      return backend;
    },
    then: [press('Make mirror-1 the master')],
  },
  promoting: { backend: changing(), then: [press('Make mirror-1 the master'), press('Promote'), halfWay] },
  'hand-back': {
    backend: () => {
      const backend = promoted({ master_health: masterHealth('well') });
      backend.rolePlanned = () => rolePlan({ kind: 'demote', headline: 'hand back', hand_back: home });
      return backend;
    },
    then: [press('Hand back…')],
  },
  stale: {
    backend: one(
      [
        mirror({
          standing: stands('stale', 'waiting', 'not looked at for 45 days'),
          code: { status: 'ok', last_sync_iso: ago(45 * 86_400), last_commit: OID, behind: 0 },
        }),
      ],
      { last_full_sync_iso: ago(45 * 86_400) },
    ),
  },
  'never-synced': { backend: one([neverSynced()], { last_full_sync_iso: null, epoch: null }) },
  syncing: { backend: one([mirror({ status: 'syncing' }), archive()]), then: [syncing] },
  promoted: { backend: () => promoted() },
  'open-role-change': {
    backend: () => promoted({ open_change: role_change, standing: stands('change_open', 'failed', 'change open') }),
  },
  pull: { backend: one([copy()], { master: UPSTREAM, epoch: null }) },
  consent: {
    backend: one([neverSynced()], {
      standing: stands('consent_needed', 'waiting', 'waits for your yes'),
      consent: {
        title: '/home/you/app/.env asks for this, and waits for your yes:',
        file: '/home/you/app/.env',
        hash: '0123456789abcdef0123456789abcdef',
        is_change: true,
        is_denied: false,
        lines: [
          { change: 'removed', topic: 'writes', text: 'mirror-1: backup/app' },
          { change: 'added', topic: 'writes', text: 'mirror-1: stranger/app: code, secrets' },
          { change: 'added', topic: 'runs', text: 'gh, git; nothing that came with the clone' },
        ],
        totals: ['in all: 300 names travel'],
      },
    }),
  },
  'mirrors-12': { backend: crowd(12) },
  'mirrors-200': { backend: crowd(200) },
  'several-repositories': { backend: several },
  preview: { backend: decide, then: [press('Preview')] },
  ...activityStates(press),
  ...drillStates(press),
  ...sentinelStates(press),
  'audit-trail': { backend: wordy, then: [press('Activity'), press('Audit trail'), press('failed')] },
  tokens: { backend: one([mirror(), archive()]), then: [press('Tokens'), press('Set')] },
  shortcuts: {
    backend: one([mirror()]),
    then: [() => void window.dispatchEvent(new KeyboardEvent('keydown', { key: 'F1' }))],
  },
  'long-words': { backend: wordy },
  ...programStates,
  ...setupStates,
};
