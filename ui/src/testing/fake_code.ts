// What a plan says about the refs of a mirror, for tests.

import type { CodePlan } from '../lib/bindings/CodePlan';
import type { Divergence } from '../lib/bindings/Divergence';
import { OID } from './fake_values';

export function codePlan(diverged: Divergence[], over: Partial<CodePlan> = {}): CodePlan {
  return {
    default_branch: 'refs/heads/main',
    source_tip: OID,
    behind: 0,
    refs: { changes: [], diverged, left_alone: [], conflicts: [], unchanged: 4 },
    fence: { current: null, epoch: 1, sequence: 0, moves: false, supported: true, atomic: true },
    guard: [],
    set_default_branch: false,
    workflow_files: [],
    lfs: null,
    notices: [],
    ...over,
  };
}
