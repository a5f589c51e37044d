"""What slash commands do, one file per family. How they are parsed and shown in menus: channels.commands."""
