// The console's entry module. Every page works without it; with it, times run,
// values change while one looks, and the keyboard leads everywhere.
import { startTimes } from "./time.js";
import { startForms } from "./forms.js";
import { startKeys } from "./keys.js";
import { startLog } from "./log.js";
import { startLive } from "./live.js";
import { startUpload } from "./upload.js";
import { startEditor } from "./editor.js";
import { startTree } from "./tree.js";
import { startDrag } from "./drag.js";

startTimes();
startForms();
startKeys();
startUpload();
startEditor();
startTree();
startDrag();
const log = startLog();
startLive(log);
