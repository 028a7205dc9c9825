export type Places = { folder: string; env_file: string; config_file: string; state_dir: string };
