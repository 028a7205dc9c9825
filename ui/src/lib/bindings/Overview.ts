import type { Error } from './Error';
import type { Notice } from './Notice';
import type { Places } from './Places';
import type { RepositoryReport } from './RepositoryReport';
import type { RunningJob } from './RunningJob';
export type Overview = {
  version: string;
  repositories: Array<RepositoryReport>;
  mistakes: Array<Error>;
  notices: Array<Notice>;
  running: Array<RunningJob>;
  places: Places;
};
