// What a backend says while something is set up, changed or taken out: for tests.

import type { Backend } from '../lib/backend';
import type { PlaceReport } from '../lib/bindings/PlaceReport';
import type { SentinelReport } from '../lib/bindings/SentinelReport';
import type { Draft } from '../lib/bindings/Draft';
import type { FoundSource } from '../lib/bindings/FoundSource';
import type { MirrorLook } from '../lib/bindings/MirrorLook';
import type { MirrorRequest } from '../lib/bindings/MirrorRequest';
import type { SourceLook } from '../lib/bindings/SourceLook';
import { FakeSettings } from './fake_settings';

export function draft(request: MirrorRequest, over: Partial<Draft> = {}): Draft {
  return {
    request,
    repository: 'orchestrator',
    mirror: 'standby',
    file: '/home/you/.config/standin/standin.toml',
    form: 'toml',
    before: null,
    after: 'a'.repeat(64),
    difference: [
      '--- standin.toml',
      '+++ standin.toml',
      '@@ -0,0 +1,7 @@',
      '+[[repository]]',
      '+id = "orchestrator"',
      '+source = "you/orchestrator"',
      '+',
      '+[[repository.mirror]]',
      '+id = "standby"',
      '+type = "github"',
      '+repo = "backup-account/orchestrator"',
    ].join('\n'),
    edits: [],
    notices: [],
    ...over,
  };
}

/** Its file. */
export const SENTINEL = '.github/workflows/standin-sentinel.yml';

/** A place at which the sentinel is, or is to be. */
export function sentinelPlace(over: Partial<PlaceReport> = {}): PlaceReport {
  return {
    place: 'mirror-1',
    repo: 'backup-account/orchestrator',
    is_master: false,
    health: 'warning',
    file: 'missing',
    workflow: null,
    secrets: [
      { name: 'STANDIN_TOKEN', updated_iso: null, expires_iso: null },
      { name: 'MASTER_TOKEN', updated_iso: null, expires_iso: null },
    ],
    last_run: null,
    state: null,
    findings: [{ message: `${SENTINEL} is not there`, hint: 'Commit it to the master, then sync.' }],
    ...over,
  };
}

export class FakeSetup extends FakeSettings {
  sources: FoundSource[] = [{ source: 'you/orchestrator', folder: '/home/you/src/orchestrator', repository: null }];
  sourceLook: SourceLook = {
    repository: 'orchestrator',
    source: 'you/orchestrator',
    is_known: false,
    is_github: true,
    token: null,
    is_private: true,
    parts: [],
    error: null,
  };
  mirrorLook: MirrorLook = {
    mirror: 'standby',
    repo: 'backup-account/orchestrator',
    state: 'absent',
    is_private: null,
    login: 'backup-account',
    is_of_gh: false,
    host_key: null,
    plan: null,
    notices: [],
    error: null,
  };
  #values: string[] = [];
  foundSources: Backend['foundSources'] = async () => structuredClone(this.sources);
  chooseSource: Backend['chooseSource'] = async () => {
    this.called('chooseSource');
    return structuredClone(this.sources[0] ?? null);
  };
  setupToken: Backend['setupToken'] = async (place, token) =>
    this.called('setupToken', place, token === null ? null : 'typed');
  setupValue: Backend['setupValue'] = async (name, value) => {
    this.called('setupValue', name, value === null ? null : 'typed');
    this.#values = this.#values.filter((known) => known !== name);
    if (value !== null) this.#values.push(name);
    return [...this.#values];
  };
  setupForget: Backend['setupForget'] = async () => this.called('setupForget');
  setupSource: Backend['setupSource'] = async (request) => {
    this.called('setupSource', request);
    return structuredClone(this.sourceLook);
  };
  setupMirror: Backend['setupMirror'] = async (request) => {
    this.called('setupMirror', request);
    return structuredClone(this.mirrorLook);
  };
  setUp: Backend['setUp'] = async (draft, create, keep) => {
    this.called('setUp', draft, create, keep);
    return { repository: draft.repository, mirror: draft.mirror, created: null, troubles: [] };
  };
  setupKeep: Backend['setupKeep'] = async (draft, keep) => {
    this.called('setupKeep', draft, keep);
    return [];
  };
  mirrorDraft: Backend['mirrorDraft'] = async (request) => {
    this.called('mirrorDraft', request);
    return draft(request);
  };
  mirrorWrite: Backend['mirrorWrite'] = async (draft) => this.called('mirrorWrite', draft);
  mirrorTest: Backend['mirrorTest'] = async (repository, mirror) => {
    this.called('mirrorTest', repository, mirror);
    return { mirror, repo: 'backup-account/orchestrator', checks: [], host_key: null };
  };
  hostKeyAccept: Backend['hostKeyAccept'] = async (key) => this.called('hostKeyAccept', key);
  mirrorLeaving: Backend['mirrorLeaving'] = async (repository, mirror) => {
    this.called('mirrorLeaving', repository, mirror);
    return { repository, mirror, repo: 'backup-account/orchestrator', left: [], unseen: null };
  };
  mirrorRemove: Backend['mirrorRemove'] = async (draft, clean) => {
    this.called('mirrorRemove', draft, clean);
    return { repository: draft.repository, mirror: draft.mirror ?? '', cleaned: clean };
  };
  sentinel: SentinelReport = {
    master: 'you/orchestrator',
    cron: '*/30 * * * *',
    health: 'warning',
    places: [
      sentinelPlace({ place: 'source', repo: 'you/orchestrator', is_master: true, secrets: [] }),
      sentinelPlace(),
    ],
  };
  sentinelCheck: Backend['sentinelCheck'] = async (repository) => {
    this.called('sentinelCheck', repository);
    return structuredClone(this.sentinel);
  };
  sentinelInstall: Backend['sentinelInstall'] = async (repository, pullRequest, replace) => {
    this.called('sentinelInstall', repository, pullRequest, replace);
    const [master] = this.sentinel.places;
    if (master && !pullRequest) master.file = 'current';
    return {
      repo: 'you/orchestrator',
      path: SENTINEL,
      written: pullRequest ? 'pull_request' : 'committed',
      pull_request: pullRequest ? 'https://github.com/you/orchestrator/pull/7' : null,
      cron: this.sentinel.cron,
      notices: [],
    };
  };
  sentinelTokens: Backend['sentinelTokens'] = async (repository, mirror, tokens) => {
    this.called('sentinelTokens', repository, mirror, tokens);
    const names = [...(tokens.standin ? ['STANDIN_TOKEN'] : []), ...(tokens.master ? ['MASTER_TOKEN'] : [])];
    return { mirror, repo: 'backup-account/orchestrator', names };
  };
}
