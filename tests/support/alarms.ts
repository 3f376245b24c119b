/** Alarms of objects of a Worker that is stopped, in the folder that it keeps them in. */
import { execFileSync } from 'node:child_process';

/** Takes every alarm from every object, as if the platform had lost them; gives how many. */
export const alarmsLost = (folder: string): number => changed(folder, 'lose');

/** Has every alarm ring as soon as the Worker starts again; gives how many. */
export const alarmsDue = (folder: string): number => changed(folder, 'ring');

function changed(folder: string, what: 'lose' | 'ring'): number {
  return Number(execFileSync('python3', ['-c', CHANGE, folder, what], { encoding: 'utf8' }).trim());
}

/** An object knows its alarm, and so does the platform beside it, in nanoseconds. */
const CHANGE = `
import glob, sqlite3, sys, time
folder, what = sys.argv[1:]
changed = 0
now = int(time.time()) * 1000000000
for name in glob.glob(folder + '/**/*.sqlite', recursive=True):
    database = sqlite3.connect(name)
    tables = [row[0] for row in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    if '_cf_ALARM' in tables:
        if what == 'lose':
            changed += database.execute('DELETE FROM _cf_ALARM').rowcount
        else:
            changed += database.execute('UPDATE _cf_ALARM SET scheduled_time = ?', [now]).rowcount
    if '_cf_METADATA' in tables:
        if what == 'lose':
            database.execute('DELETE FROM _cf_METADATA WHERE key = 1')
        else:
            database.execute('UPDATE _cf_METADATA SET value = ? WHERE key = 1 AND value IS NOT NULL', [now])
    database.commit()
    database.close()
print(changed)
`;
