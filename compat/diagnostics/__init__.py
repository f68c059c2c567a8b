"""What a program is told: profiles, verification, files that reproduce a call, pages."""
