from __future__ import annotations

from django.urls import path

from configurations import acts, views
from configurations.adopt_views import adopt
from configurations.bring_in_views import bring_in
from configurations.wizard import views as wizard

app_name = "configurations"
urlpatterns = [
    path("", views.configuration_list, name="list"),
    path("export.csv", views.export_csv, name="csv"),
    path("export.zip", views.export_zip, name="zip"),
    path("adopt", adopt, name="adopt"),
    path("bring-in", bring_in, name="bring_in"),
    path("new", wizard.new, name="new"),
    path("drafts/", wizard.draft_list, name="drafts"),
    path("drafts/<int:pk>/basics", wizard.draft_basics, name="draft_basics"),
    path("drafts/<int:pk>/source", wizard.draft_source, name="draft_source"),
    path(
        "drafts/<int:pk>/kustomizations", wizard.draft_kustomizations, name="draft_kustomizations"
    ),
    path("drafts/<int:pk>/review", wizard.draft_review, name="draft_review"),
    path("drafts/<int:pk>/check", wizard.draft_check, name="draft_check"),
    path("drafts/<int:pk>/face", wizard.draft_face, name="draft_face"),
    path("drafts/<int:pk>/discard", wizard.draft_discard, name="draft_discard"),
    path("revise/<int:pk>", wizard.revise, name="revise"),
    path("<int:pk>/", views.detail, name="detail"),
    path("<int:pk>/diff", views.detail_diff, name="diff"),
    path("<int:pk>/specification", views.detail_specification, name="specification"),
    path("<int:pk>/faces", views.detail_faces, name="faces"),
    path("<int:pk>/face", views.face_file, name="face"),
    path("<int:pk>/changes", views.detail_changes, name="changes"),
    path("<int:pk>/history", views.detail_history, name="history"),
    path("<int:pk>/raw", views.detail_raw, name="raw"),
    path("<int:pk>/watch", views.watch, name="watch"),
    path("<int:pk>/sync-now", views.sync_now, name="sync_now"),
    path("<int:pk>/edit", wizard.edit, name="edit"),
    path("<int:pk>/suspend", acts.suspend, name="suspend"),
    path("<int:pk>/resume", acts.resume, name="resume"),
    path("<int:pk>/send-again", acts.send_again, name="send_again"),
    path("<int:pk>/delete", acts.delete, name="delete"),
    path("on/<int:cluster_pk>/remove-flux", acts.remove_flux, name="remove_flux"),
]
