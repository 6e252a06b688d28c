// The console's entry module. Every page works without it; with it, times run,
// values change while one looks, and the keyboard leads everywhere.
import { startTimes } from "./time.js";
import { startForms } from "./forms.js";
import { startKeys } from "./keys.js";
import { startLog } from "./log.js";
import { startLive } from "./live.js";
import { startUpload } from "./upload.js";

startTimes();
startForms();
startKeys();
startUpload();
const log = startLog();
startLive(log);
