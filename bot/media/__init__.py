"""What files hold: what a file is, its words, what was said in it. `bot.attachments` puts it into a question."""
