import htmx from "htmx.org";
import "./bulk-picker.js";
import "./column-chooser.js";
import "./condition-builder.js";
import "./dialogs.js";
import "./earning-form.js";
import "./forms.js";
import "./menus.js";
import "./message-editor.js";
import "./palette.js";
import "./recent.js";
import "./tag-groups.js";
import "./tag-picker.js";
import "./tag-rules.js";
import "./tag-undo.js";
import "./theme.js";
import "./toasts.js";

window.htmx = htmx;
