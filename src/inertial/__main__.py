"""``python -m inertial`` is the command `inertial`."""

from inertial.commands.process import script

if __name__ == "__main__":
    script()
