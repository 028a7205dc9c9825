// The states of the sentinel, and of the question before the window is closed.

import { ago, failure, FakeBackend, mirror, overview, repository } from '../src/testing/fake';
import { SENTINEL, sentinelPlace } from '../src/testing/fake_setup';
import type { State, Step } from './states';

const one = (): FakeBackend => new FakeBackend(overview([repository([mirror()])]));

/** On two standbys, one of which fails. */
function watching(): FakeBackend {
  const backend = one();
  const secrets = [
    { name: 'STANDIN_TOKEN', updated_iso: ago(40 * 86_400), expires_iso: ago(-3 * 86_400) },
    { name: 'MASTER_TOKEN', updated_iso: ago(40 * 86_400), expires_iso: null },
  ];
  const last_run = {
    at_iso: ago(900),
    event: 'schedule',
    conclusion: 'failure',
    url: 'https://github.com/backup-account/orchestrator/actions/runs/1',
  };
  backend.sentinel.places = [
    sentinelPlace({ place: 'source', repo: 'you/orchestrator', is_master: true, file: 'edited', secrets: [] }),
    sentinelPlace({ file: 'current', health: 'ok', workflow: 'active', findings: [], secrets }),
    sentinelPlace({
      place: 'mirror-3',
      repo: 'an-organisation-with-a-long-name/orchestrator-of-everything',
      file: 'other_version',
      health: 'failed',
      workflow: 'disabled_inactivity',
      secrets,
      last_run,
      findings: [
        { message: `${SENTINEL} was switched off after 60 days without a commit`, hint: 'Sync, which switches it on.' },
      ],
    }),
  ];
  return backend;
}

const refuse = () =>
  Promise.reject(failure({ message: 'the token may not write workflow files', hint: 'Give it `Workflows`.' }));

export function sentinelStates(press: (words: string) => Step): Record<string, State> {
  return {
    sentinel: { backend: one, then: [press('Sentinel')] },
    'sentinel-installed': { backend: one, then: [press('Sentinel'), press('Commit it')] },
    'sentinel-refused': {
      backend: () => Object.assign(one(), { sentinelInstall: refuse }),
      then: [press('Sentinel'), press('Commit it')],
    },
    'sentinel-watching': { backend: watching, then: [press('Sentinel')] },
    closing: {
      backend: one,
      then: [(backend) => backend.say({ at_iso: ago(0), event: 'schedule', news: 'closing', detail: '' })],
    },
  };
}
