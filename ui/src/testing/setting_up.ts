// Looks, drafts and answers of a backend while something is set up, as tests and the gallery need them.

import type { Check } from '../lib/bindings/Check';
import type { HostKey } from '../lib/bindings/HostKey';
import type { Leaving } from '../lib/bindings/Leaving';
import type { MirrorLook } from '../lib/bindings/MirrorLook';
import type { SourceLook } from '../lib/bindings/SourceLook';
import type { TokenReport } from '../lib/bindings/TokenReport';
import { FakeBackend, failure, neverSynced, overview, repository } from './fake';

export const ofGh: TokenReport = {
  place: 'source',
  host: 'github.com',
  repository: 'you/orchestrator',
  origin: 'gh',
  login: 'you',
  kind: 'o_auth',
  scopes: ['repo', 'workflow'],
  expires_iso: null,
  days_left: null,
  rights: [{ aspect: 'code', right: 'read branches and tags', state: 'proven', detail: 'it was read' }],
  notices: [],
};

export const seen: SourceLook = {
  repository: 'orchestrator',
  source: 'you/orchestrator',
  is_known: false,
  is_github: true,
  token: ofGh,
  is_private: true,
  parts: [
    { aspect: 'code', count: 12, names: ['main'], without_value: [], error: null },
    {
      aspect: 'secrets',
      count: 5,
      names: ['API_KEY', 'DATABASE_URL', 'DEPLOY_KEY', 'RESEND_API_KEY', 'SENTRY_DSN'],
      without_value: ['API_KEY', 'DATABASE_URL'],
      error: null,
    },
    { aspect: 'variables', count: 3, names: ['DEPLOY_MODE', 'REGION', 'STAGE'], without_value: [], error: null },
    { aspect: 'workflows', count: 4, names: ['cron.yml'], without_value: [], error: null },
  ],
  error: null,
};

/** A source that no token opens. */
export const closed: SourceLook = {
  ...seen,
  token: null,
  is_private: null,
  parts: [],
  error: failure({
    code: 'token_missing',
    message: 'there is no token for you/orchestrator',
    hint: 'Give one that may read it.',
  }),
};

export const hostKey: HostKey = {
  host: 'nas.local',
  kind: 'ssh-ed25519',
  fingerprint: 'SHA256:yq0cQ1nXkqVdG0sYb7l3mO6q3v1p2w5t8u9x0zAbCdE',
  line: 'nas.local ssh-ed25519 AAAA',
};

/** An archive, as far as it can be seen. */
export const archived = (over: Partial<MirrorLook> = {}): MirrorLook => ({
  mirror: 'archive',
  repo: 'git@nas.local:srv/orchestrator.git',
  state: 'unseen',
  is_private: null,
  login: null,
  is_of_gh: false,
  host_key: null,
  plan: null,
  notices: [],
  error: null,
  ...over,
});

/** A backend with nothing configured, where what is set up is there afterwards. */
export function fresh(): FakeBackend {
  const backend = new FakeBackend(overview([]));
  backend.sourceLook = seen;
  const write = backend.setUp;
  backend.setUp = async (...values) => {
    const done = await write(...values);
    backend.answer = overview([repository([neverSynced({ id: done.mirror ?? 'standby' })])]);
    return done;
  };
  return backend;
}

export const checks: Check[] = [
  { what: 'reach the host', works: true, detail: 'github.com answers' },
  { what: 'push branches and tags', works: false, detail: 'the token may only read' },
  { what: 'set secrets', works: null, detail: 'only writing one would tell' },
];

export const leaving: Leaving = {
  repository: 'orchestrator',
  mirror: 'mirror-1',
  repo: 'backup-account/orchestrator',
  left: [
    {
      what: 'fence',
      detail: 'the fence refs/standin/fence (093f7683e987)',
      cleaning: 'offered',
      hint: 'It says whose mirror this is.',
    },
    {
      what: 'workflows',
      detail: 'workflows that Standin switched off: cron.yml',
      cleaning: 'named',
      hint: 'They stay off. Switched on, they run there as in the source.',
    },
    {
      what: 'sentinel',
      detail: 'the sentinel’s secrets STANDIN_TOKEN, MASTER_TOKEN',
      cleaning: 'offered',
      hint: 'Revoke the tokens at their host, too.',
    },
    {
      what: 'contents',
      detail: '12 branches and tags, 5 secrets',
      cleaning: 'by_hand',
      hint: 'Nothing of it is touched. Delete the repository at its host when you are sure.',
    },
  ],
  unseen: null,
};
